import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { Handover, pageOf, TenantId } from 'streams/contract';
import { z } from 'zod';
import type { LedgerAlertStore } from './control-ledger-alerts.ts';

const Alert = z.object({
  id: z.string(),
  kind: z.literal('ledger.unbalanced'),
  severity: z.literal('critical'),
  tenant: z.string(),
  state: z.literal(['open', 'resolved']),
  openedAt: z.string(),
  resolvedAt: z.string().nullable(),
  summary: z.string(),
  /** Where the evidence is read. */
  evidence: z.string(),
  handover: Handover,
});

/** `GET /api/v1/alerts`: what is wrong and open; `state=all` shows what was. Hours of the conservation ledger that do not balance. */
export function alertRoutes(deps: { readonly alerts: LedgerAlertStore }): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/alerts',
      schema: {
        tags: ['alerts'],
        summary: 'Open alerts: hours of the conservation ledger that do not balance, newest first',
        querystring: z.object({
          tenant: TenantId.optional(),
          state: z.literal(['open', 'all']).default('open'),
          limit: z.coerce.number().int().min(1).max(1000).default(100),
          cursor: z
            .string()
            .regex(/^\d{1,9}$/)
            .optional(),
        }),
        response: { 200: pageOf(Alert) },
      },
      config: { permission: { resource: 'alerts', action: 'read', tenant: 'query' } },
      handler: async (request) => {
        const { state, limit, cursor } = request.query;
        const skip = Number(cursor ?? '0');
        const tenant = request.tenant === null ? {} : { tenant: request.tenant.id };
        const found = await deps.alerts.list(request.rowScope, {
          open: state === 'open',
          ...tenant,
          limit: limit + 1,
          skip,
        });
        return {
          items: found.slice(0, limit).map(({ tenant, subject, hop, hour, openedAt, resolvedAt, handover }) => ({
            id: `${tenant}/${subject}/${hop}/${hour}/${openedAt}`,
            kind: 'ledger.unbalanced' as const,
            severity: 'critical' as const,
            tenant,
            state: resolvedAt === null ? ('open' as const) : ('resolved' as const),
            openedAt,
            resolvedAt,
            summary: `${subject} of ${hour}: ${handover.from} ${handover.counts.from}, ${handover.to} ${handover.counts.to}, duplicates ${handover.counts.duplicates}`,
            evidence: `/api/v1/billing/reconciliation?tenant=${tenant}&period=${hour.slice(0, 7)}&state=mismatch`,
            handover,
          })),
          nextCursor: found.length > limit ? String(skip + limit) : null,
        };
      },
    });
  };
}
