import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, DecimalString, PageQuery, pageOf, periodAt, periodOf, TenantId } from 'streams/contract';
import { z } from 'zod';
import type { QualityReader } from '../metering/clickhouse-quality-reader.ts';
import { requireTenant } from './tenants.ts';

const count = z.number().int().min(0);
const Quality = z.object({
  tenant: TenantId,
  period: z.string(),
  start: z.string(),
  end: z.string(),
  meters: z.array(
    z.object({
      meter: z.string(),
      /** Counters that began again: counted from zero. Null: the meter reads no counter. */
      resets: count.nullable(),
      /** Counters whose value before the first point is unknown: not counted. */
      unknownStarts: count.nullable(),
      /** Silences of more than five minutes: growth across one counts when its point comes, a level does not. */
      gaps: count.nullable(),
      gapSeconds: count.nullable(),
      /** Points of a second writer of the same series: not counted. */
      overlaps: count.nullable(),
      /** Later than the tenant's limit: samples are kept and not billed, events of scope backfill are billed. */
      late: count,
      /** Events that came again with other content: the first one stands. */
      conflicts: count.nullable(),
    }),
  ),
  duplicates: z.object({ metrics: count, events: count }),
});

const Content = z.object({
  type: z.string(),
  subject: z.string(),
  time: z.string(),
  value: DecimalString,
  attributes: z.record(z.string(), z.string()),
});
const Conflict = z.object({
  source: z.string(),
  id: z.string(),
  receivedAt: z.string(),
  kept: Content.nullable(),
  sent: Content,
  differs: z.array(z.string()).readonly(),
});

const permission = { resource: 'billing', action: 'read', tenant: 'query' } as const;

function skipOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (/^\d{1,9}$/.test(cursor)) return Number(cursor);
  throw new AppError('billing.cursor_invalid', 'the cursor is not one that this list gave out', {
    status: 400,
    field: 'cursor',
  });
}

/** `GET /api/v1/billing/usage/quality`: why a figure is as careful as it is; `GET /api/v1/plugins/usage-events/conflicts`: identities that were used twice. */
export function qualityRoutes(deps: { readonly quality: QualityReader; now(): number }): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/billing/usage/quality',
      schema: {
        tags: ['billing'],
        summary:
          'Resets, unknown starts, gaps, overlapping writers, late and repeated records behind the meters of a period',
        querystring: z.object({
          tenant: TenantId.optional(),
          period: z
            .string()
            .regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'a month such as 2026-11')
            .optional(),
        }),
        response: { 200: Quality },
      },
      config: { permission },
      handler: async (request) => {
        const tenant = requireTenant(request);
        const name = request.query.period;
        const period = name === undefined ? periodAt(deps.now(), tenant.timeZone) : periodOf(name, tenant.timeZone);
        const { meters, duplicates } = await deps.quality.quality({ tenant: tenant.number, ...period });
        const { start, end } = period;
        return { tenant: tenant.id, period: period.period, start, end, meters: [...meters], duplicates };
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/plugins/usage-events/conflicts',
      schema: {
        tags: ['billing'],
        summary:
          'Usage events that came again under a known identity with other content, by receipt; the first one stands',
        querystring: PageQuery.extend({
          tenant: TenantId.optional(),
          start: z.iso.datetime({ offset: true }).optional(),
          end: z.iso.datetime({ offset: true }).optional(),
        }),
        response: { 200: pageOf(Conflict) },
      },
      config: { permission },
      handler: async (request) => {
        const tenant = requireTenant(request);
        const { start, end, limit, cursor } = request.query;
        const range = {
          tenant: tenant.number,
          startMs: start === undefined ? 0 : Date.parse(start),
          endMs: end === undefined ? deps.now() + 86_400_000 : Date.parse(end),
        };
        const skip = skipOf(cursor);
        const items = await deps.quality.conflicts(range, { skip, limit: limit + 1 });
        return { items: items.slice(0, limit), nextCursor: items.length > limit ? String(skip + limit) : null };
      },
    });
  };
}
