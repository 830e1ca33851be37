import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, periodAt, SlaReport, TenantId } from 'streams/contract';
import type { Clock } from 'streams/runtime';
import type { Store } from 'streams/store';
import { z } from 'zod';
import { readSla } from './sla-reader.ts';

/** `GET /api/v1/analytics/sla`. Without `period` the running month in the tenant's zone. */
export function slaRoutes(deps: { readonly store: Store; readonly clock: Clock }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/v1/analytics/sla',
      {
        config: { permission: { resource: 'analytics', action: 'read', tenant: 'query' } },
        schema: {
          tags: ['analytics'],
          summary: 'Service level of a tenant over a month in its zone; unmeasured time is kept apart',
          querystring: z.object({ tenant: TenantId.optional(), period: z.string().max(40).optional() }),
          response: { 200: SlaReport },
        },
      },
      async (request) => {
        const { tenant } = request;
        if (tenant === null) {
          throw new AppError('analytics.tenant_required', 'name the tenant to read: ?tenant=', {
            status: 400,
            field: 'tenant',
          });
        }
        const nowMs = deps.clock.now();
        const period = request.query.period ?? periodAt(nowMs, tenant.timeZone).period;
        const [report] = await readSla(deps.store, [{ tenant, period }], nowMs);
        if (report === undefined) throw new AppError('analytics.sla_missing', 'no report was made');
        return report;
      },
    );
  };
}
