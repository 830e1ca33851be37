import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { PageQuery, pageOf } from 'streams/contract';
import { NewRateCard, RateCard } from '../rating/index.ts';
import type { RateCardStore } from './rate-card-store.ts';

const keyOf = (card: RateCard) => `${card.id}/${card.version}`;

/** `GET` and `POST /api/v1/billing/rate-cards`: effective-dated, appended as versions, never changed. */
export function rateCardRoutes({ rateCards }: { readonly rateCards: RateCardStore }): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/billing/rate-cards',
      schema: {
        tags: ['billing'],
        summary: 'Rate cards with all their versions, the newest version of a card first',
        querystring: PageQuery,
        response: { 200: pageOf(RateCard) },
      },
      config: { permission: { resource: 'rate_cards', action: 'read', tenant: 'none' } },
      handler: async (request) => {
        const { limit, cursor } = request.query;
        const cards = await rateCards.cards();
        const start = cursor === undefined ? 0 : cards.findIndex((card) => keyOf(card) === cursor) + 1;
        const items = cards.slice(start, start + limit);
        const last = items.at(-1);
        return { items, nextCursor: start + limit < cards.length && last !== undefined ? keyOf(last) : null };
      },
    });
    app.route({
      method: 'POST',
      url: '/api/v1/billing/rate-cards',
      schema: {
        tags: ['billing'],
        summary: 'Adds a rate card, or the next version of one, in force from an instant on',
        body: NewRateCard,
        response: { 201: RateCard },
      },
      config: { permission: { resource: 'rate_cards', action: 'write', tenant: 'none' } },
      handler: async (request, reply) => {
        const actor = { id: request.principal.id, correlationId: request.correlationId };
        const card = await rateCards.add(actor, request.body);
        return reply.code(201).send(card);
      },
    });
  };
}
