import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AppError, ForecastReport, TenantId } from 'streams/contract';
import type { Clock } from 'streams/runtime';
import type { Store } from 'streams/store';
import { z } from 'zod';
import { readForecast } from './forecast-reader.ts';

/** `GET /api/v1/analytics/forecast`. */
export function forecastRoutes(deps: { readonly store: Store; readonly clock: Clock }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/v1/analytics/forecast',
      {
        config: { permission: { resource: 'analytics', action: 'read', tenant: 'query' } },
        schema: {
          tags: ['analytics'],
          summary: 'Daily means of a metric and their forecast with an interval',
          querystring: z.object({
            tenant: TenantId.optional(),
            metric: z.string().min(1).max(255).default('dotmac.customers.active'),
            horizon: z.coerce.number().int().min(1).max(365).default(30),
            interval: z.coerce.number().min(0.5).max(0.99).default(0.95),
          }),
          response: { 200: ForecastReport },
        },
      },
      async (request) => {
        if (request.tenant === null) {
          throw new AppError('analytics.tenant_required', 'name the tenant to read: ?tenant=', {
            status: 400,
            field: 'tenant',
          });
        }
        return readForecast(deps.store, request.tenant, request.query, deps.clock.now());
      },
    );
  };
}
