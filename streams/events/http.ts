import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  AppError,
  DomainEvent,
  DomainEventType,
  domainEventTypes,
  PageQuery,
  pageOf,
  TenantId,
} from '../contract/index.ts';
import type { Control } from '../control/port.ts';
import { listEvents } from './list-events.ts';

const EventView = DomainEvent.extend({ sentAt: z.string().nullable() });
const TypeView = z.object({
  type: DomainEventType,
  summary: z.string(),
  audience: z.literal(['tenant', 'platform']),
  /** False: the change it tells of does not exist yet. */
  emitted: z.boolean(),
  dataSchema: z.record(z.string(), z.unknown()),
});

function parseCursor(cursor: string | undefined): string | null {
  if (cursor === undefined || /^\d{1,18}$/.test(cursor)) return cursor ?? null;
  throw new AppError('events.cursor_invalid', 'the cursor is not one that this list gave out', {
    status: 400,
    field: 'cursor',
  });
}

/** `GET /api/v1/events` (newest first) and `GET /api/v1/events/types`. */
export function eventRoutes(deps: { readonly control: Control }): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/events',
      schema: {
        tags: ['events'],
        summary: 'Lists domain events as CloudEvents, newest first, and when each went to the log',
        querystring: PageQuery.extend({ tenant: TenantId.optional(), type: DomainEventType.optional() }),
        response: { 200: pageOf(EventView) },
      },
      config: { permission: { resource: 'events', action: 'read', tenant: 'query' } },
      handler: async (request) => {
        const { limit, cursor, type } = request.query;
        const before = parseCursor(cursor);
        const listed = await listEvents(deps.control, request.rowScope, { limit: limit + 1, before, type });
        const page = listed.slice(0, limit);
        return {
          items: page.map(({ event, sentAt }) => ({ ...event, sentAt })),
          nextCursor: listed.length > limit ? (page.at(-1)?.seq ?? null) : null,
        };
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/events/types',
      schema: {
        tags: ['events'],
        summary: 'The catalogue of domain events with the schema of their data',
        response: { 200: z.object({ items: z.array(TypeView) }) },
      },
      config: { permission: { resource: 'events', action: 'read', tenant: 'none' } },
      handler: async () => ({
        items: DomainEventType.options.map((type) => {
          const { summary, audience, emittedBy, data } = domainEventTypes[type];
          return {
            type,
            summary,
            audience,
            emitted: emittedBy !== null,
            dataSchema: z.toJSONSchema(data, { io: 'input' }) as Record<string, unknown>,
          };
        }),
      }),
    });
  };
}
