import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { CreatedTenant, NewTenant, PageQuery, pageOf, Tenant, TenantId } from 'streams/contract';
import { z } from 'zod';
import type { TenantRegistry } from './tenant-registry.ts';

const Id = z.object({ id: TenantId });

/** Body of `PATCH /api/v1/tenants/{id}`; what may not change is refused by name instead of ignored. */
const Change = z
  .strictObject({
    name: NewTenant.shape.name.optional(),
    tier: NewTenant.shape.tier.unwrap().optional(),
    plan: NewTenant.shape.plan.unwrap().optional(),
    region: NewTenant.shape.region.unwrap().optional(),
    partnerId: NewTenant.shape.partnerId.unwrap().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'names nothing to change');

/** `POST|GET /api/v1/tenants`, `GET|PATCH …/{id}`, `POST …/{id}/suspend|resume|cancel`. */
export function tenantRoutes(registry: TenantRegistry): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/api/v1/tenants',
      {
        config: { permission: { resource: 'tenants', action: 'write', tenant: 'none' } },
        schema: {
          tags: ['tenants'],
          summary: 'Create a tenant; the answer shows its first API key once',
          body: NewTenant,
          response: { 201: CreatedTenant },
        },
      },
      async (request, reply) => {
        const actor = { id: request.principal.id, correlationId: request.correlationId };
        const { tenant, apiKey } = await registry.create(actor, request.body);
        return reply.code(201).send({ ...tenant, apiKey });
      },
    );
    app.get(
      '/api/v1/tenants',
      {
        config: { permission: { resource: 'tenants', action: 'read', tenant: 'resource' } },
        schema: {
          tags: ['tenants'],
          summary: 'Tenants by id',
          querystring: PageQuery,
          response: { 200: pageOf(Tenant) },
        },
      },
      async (request) => registry.list(request.rowScope, request.query),
    );
    app.get(
      '/api/v1/tenants/:id',
      {
        config: { permission: { resource: 'tenants', action: 'read', tenant: 'params.id' } },
        schema: { tags: ['tenants'], summary: 'One tenant', params: Id, response: { 200: Tenant } },
      },
      async (request) => registry.find(request.rowScope, request.params.id),
    );
    app.patch(
      '/api/v1/tenants/:id',
      {
        config: { permission: { resource: 'tenants', action: 'write', tenant: 'params.id' } },
        schema: {
          tags: ['tenants'],
          summary: 'Change name, tier, plan, region or partner',
          params: Id,
          body: Change,
          response: { 200: Tenant },
        },
      },
      async (request) => {
        const actor = { id: request.principal.id, correlationId: request.correlationId };
        const change = Object.fromEntries(Object.entries(request.body).filter(([, value]) => value !== undefined));
        return registry.change(actor, request.params.id, change);
      },
    );
    for (const verb of ['suspend', 'resume', 'cancel'] as const) {
      app.post(
        `/api/v1/tenants/:id/${verb}`,
        {
          config: { permission: { resource: 'tenants', action: 'write', tenant: 'params.id' } },
          schema: {
            tags: ['tenants'],
            summary: `${verb[0]?.toUpperCase()}${verb.slice(1)} a tenant`,
            params: Id,
            response: { 200: Tenant },
          },
        },
        async (request) => {
          const actor = { id: request.principal.id, correlationId: request.correlationId };
          return registry.move(actor, request.params.id, verb);
        },
      );
    }
  };
}
