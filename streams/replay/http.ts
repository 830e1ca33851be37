import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { NewReplay, PageQuery, pageOf, ReplayRun } from '../contract/index.ts';
import type { ReplayService } from './replay-service.ts';

const write = { permission: { resource: 'platform', action: 'write', tenant: 'none' } } as const;
const read = { permission: { resource: 'platform', action: 'read', tenant: 'none' } } as const;
const params = z.object({ id: z.string().max(60) });

/** `POST /api/v1/replays`, `GET` of all and of one, `POST …/{id}/cancel`. *Errors* see the folder's README. */
export function replayRoutes(service: () => ReplayService): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/api/v1/replays',
      schema: {
        tags: ['maintenance'],
        summary: 'Rebuilds hours from the log beside the live tables, compares, and swaps when asked to',
        body: NewReplay,
        response: { 202: ReplayRun },
      },
      config: write,
      handler: async ({ body, principal, correlationId }, reply) =>
        reply.code(202).send(await service().start({ id: principal.id, correlationId }, body)),
    });
    app.route({
      method: 'GET',
      url: '/api/v1/replays',
      schema: {
        tags: ['maintenance'],
        summary: 'Replays, newest first',
        querystring: PageQuery,
        response: { 200: pageOf(ReplayRun) },
      },
      config: read,
      handler: async ({ query }) => ({ items: await service().list(query.limit), nextCursor: null }),
    });
    app.route({
      method: 'GET',
      url: '/api/v1/replays/:id',
      schema: {
        tags: ['maintenance'],
        summary: 'Progress and comparison of a replay',
        params,
        response: { 200: ReplayRun },
      },
      config: read,
      handler: async (request) => service().find(request.params.id),
    });
    app.route({
      method: 'POST',
      url: '/api/v1/replays/:id/cancel',
      schema: {
        tags: ['maintenance'],
        summary: 'Ends a replay early; the live tables stay as they are',
        params,
        response: { 200: ReplayRun },
      },
      config: write,
      handler: async (request) => service().cancel(request.params.id),
    });
  };
}
