import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import { AppError, Handover, periodAt, periodOf, Reconciliation, TenantId } from 'streams/contract';
import { z } from 'zod';
import { type LedgerHour, reconcile } from './reconcile.ts';
import type { LedgerRange } from './store-ledger.ts';
import { visibleTenants } from './tenants.ts';

export interface ReconciliationDeps {
  readonly tenants: TenantDirectory;
  ledger(range: LedgerRange): Promise<readonly LedgerHour[]>;
  now(): number;
}

const ReconciliationQuery = z.object({
  tenant: TenantId.optional(),
  period: z
    .string()
    .regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'a month such as 2026-11')
    .optional(),
  /** Only hand-overs of this state are listed; `balanced` is always about all of them. */
  state: Handover.shape.state.optional(),
  limit: z.coerce.number().int().min(1).max(200_000).default(200_000),
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .optional(),
});

const hourSeconds = 3600;

/** `GET /api/v1/billing/reconciliation`: the conservation ledger of a period. *Errors* `billing.ledger_unreadable` (503, retryable): never an empty answer. */
export function reconciliationRoutes(deps: ReconciliationDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/billing/reconciliation',
      schema: {
        tags: ['billing'],
        summary: 'Hand-overs of a period: what was accepted, logged, stored and rolled up, by tenant, signal and hour',
        querystring: ReconciliationQuery,
        response: { 200: Reconciliation.extend({ nextCursor: z.string().nullable() }) },
      },
      config: { permission: { resource: 'billing', action: 'read', tenant: 'query' } },
      handler: async (request) => {
        const { period: name, state, limit, cursor } = request.query;
        const zone = request.tenant?.timeZone ?? 'UTC';
        const now = deps.now();
        const period = name === undefined ? periodAt(now, zone) : periodOf(name, zone);
        const range = {
          tenants: visibleTenants(request, deps.tenants),
          fromHour: Math.floor(period.startMs / 1000 / hourSeconds) * hourSeconds,
          toHour: Math.ceil(period.endMs / 1000 / hourSeconds) * hourSeconds,
        };
        const rows = await deps.ledger(range).catch((cause: unknown) => {
          throw new AppError(
            'billing.ledger_unreadable',
            'the ledger could not be read; nothing can be said about it',
            {
              status: 503,
              retryable: true,
              cause,
            },
          );
        });
        const { balanced, handovers } = reconcile(rows, now);
        const wanted = state === undefined ? handovers : handovers.filter((handover) => handover.state === state);
        const start = Number(cursor ?? '0');
        const end = start + limit;
        return {
          balanced,
          handovers: wanted.slice(start, end),
          nextCursor: end < wanted.length ? String(end) : null,
        };
      },
    });
  };
}
