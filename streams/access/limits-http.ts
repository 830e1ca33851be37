import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { LimitsChange, TenantId, TenantLimitsView } from '../contract/index.ts';
import type { LimitsStore } from './limits-store.ts';

const params = z.object({ id: TenantId });

/** `GET|PUT|PATCH /api/v1/tenants/{id}/limits`: a tenant reads its own, only the operator changes them. In force at once here, within seconds in other processes. */
export function limitsRoutes(limits: LimitsStore): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/tenants/:id/limits',
      schema: {
        tags: ['tenants'],
        summary: 'Limits in force, and which are the tenant’s own',
        params,
        response: { 200: TenantLimitsView },
      },
      config: { permission: { resource: 'tenants', action: 'read', tenant: 'params.id' } },
      handler: (request) => limits.find(request.rowScope, request.params.id),
    });
    for (const method of ['PUT', 'PATCH'] as const) {
      app.route({
        method,
        url: '/api/v1/tenants/:id/limits',
        schema: {
          tags: ['tenants'],
          summary:
            method === 'PUT'
              ? 'Sets the limits; what is not named is the default'
              : 'Changes the limits that are named; null is the default again',
          params,
          body: LimitsChange,
          response: { 200: TenantLimitsView },
        },
        config: { permission: { resource: 'tenants', action: 'write', tenant: 'params.id' } },
        handler: (request) => {
          const actor = { id: request.principal.id, correlationId: request.correlationId };
          return limits.change(actor, request.params.id, request.body, method === 'PUT');
        },
      });
    }
  };
}
