import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  ApiKey,
  AppError,
  CreatedApiKey,
  invariant,
  NewApiKey,
  PageQuery,
  pageOf,
  TenantId,
} from '../contract/index.ts';
import type { Actor, Control } from '../control/port.ts';
import type { Clock } from '../runtime/clock.ts';
import { createApiKey, toApiKey } from './api-key.ts';
import type { ControlAccess } from './control-access.ts';
import type { Principal, TenantDirectory } from './port.ts';

const keyColumns = ['id', 'tenant_id', 'name', 'prefix', 'scopes', 'created_at', 'expires_at', 'revoked_at'] as const;

export interface AccessRoutesDeps {
  readonly control: Control;
  readonly access: Pick<ControlAccess, 'forget'>;
  readonly tenants: Pick<TenantDirectory, 'list'>;
  readonly clock: Clock;
}

const actorOf = (request: { principal: Principal; correlationId: string }): Actor => ({
  id: request.principal.id,
  correlationId: request.correlationId,
});

const Session = z.object({
  role: z.literal(['operator', 'tenant', 'partner']),
  tenantId: z.string().nullable(),
  partnerId: z.string().nullable(),
  /** Tenants in reach; absent for the operator, who reaches all. */
  tenants: z.array(z.object({ id: z.string(), name: z.string() })).optional(),
});

function tenantsInReach(principal: Principal, tenants: Pick<TenantDirectory, 'list'>) {
  return tenants
    .list()
    .filter(({ id, partnerId }) =>
      principal.role === 'partner'
        ? principal.partnerId !== null && partnerId === principal.partnerId
        : id === principal.tenantId,
    )
    .map(({ id, name }) => ({ id, name }));
}

/** Keys of a tenant (create, list, revoke) and `GET /api/v1/session`. *Errors* `access.expiry_past` (400), `access.key_unknown` (404), `access.tenant_cancelled` (409). */
export function accessRoutes(deps: AccessRoutesDeps): FastifyPluginAsyncZod {
  const { control, clock } = deps;
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/v1/session',
      schema: { tags: ['session'], summary: 'Whom the credential stands for', response: { 200: Session } },
      config: { permission: { resource: 'session', action: 'read', tenant: 'none' } },
      handler: async ({ principal }) => ({
        role: principal.role,
        tenantId: principal.tenantId,
        partnerId: principal.partnerId,
        ...(principal.role === 'operator' ? {} : { tenants: tenantsInReach(principal, deps.tenants) }),
      }),
    });
    app.route({
      method: 'POST',
      url: '/api/v1/tenants/:id/api-keys',
      schema: {
        tags: ['api-keys'],
        summary: 'Creates an API key of a tenant; its secret is shown this once',
        params: z.object({ id: TenantId }),
        body: NewApiKey,
        response: { 201: CreatedApiKey },
      },
      config: { permission: { resource: 'api_keys', action: 'write', tenant: 'params.id' } },
      handler: async (request, reply) => {
        const tenantId = request.params.id;
        const { expiresAt } = request.body;
        if (expiresAt !== null && Date.parse(expiresAt) <= clock.now()) {
          throw new AppError('access.expiry_past', 'the key would have expired already', {
            status: 400,
            field: 'body.expiresAt',
          });
        }
        if (request.tenant?.state === 'cancelled') {
          throw new AppError('access.tenant_cancelled', 'a cancelled tenant gets no new keys', { status: 409 });
        }
        const created = await control.mutate(actorOf(request), request.rowScope, async (tx) => {
          const result = await createApiKey(tx, tenantId, request.body);
          const { apiKey: _secret, ...after } = result;
          return { result, audit: { action: 'api_key.create', resource: `api_key:${result.id}`, tenantId, after } };
        });
        return reply.code(201).send(created);
      },
    });
    app.route({
      method: 'GET',
      url: '/api/v1/tenants/:id/api-keys',
      schema: {
        tags: ['api-keys'],
        summary: 'Lists the API keys of a tenant, without their secrets',
        params: z.object({ id: TenantId }),
        querystring: PageQuery,
        response: { 200: pageOf(ApiKey) },
      },
      config: { permission: { resource: 'api_keys', action: 'read', tenant: 'params.id' } },
      handler: async (request) => {
        const { limit, cursor } = request.query;
        const rows = await control.read(request.rowScope, (tx) => {
          const query = tx.selectFrom('api_keys').select(keyColumns).where('tenant_id', '=', request.params.id);
          return (cursor === undefined ? query : query.where('id', '>', cursor))
            .orderBy('id')
            .limit(limit + 1)
            .execute();
        });
        const items = rows.slice(0, limit).map(toApiKey);
        return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
      },
    });
    app.register(revokeRoute(deps));
  };
}

function revokeRoute({ control, access, clock }: AccessRoutesDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'DELETE',
      url: '/api/v1/tenants/:id/api-keys/:keyId',
      schema: {
        tags: ['api-keys'],
        summary: 'Revokes an API key; it stops at once and cannot be restored',
        params: z.object({ id: TenantId, keyId: z.string().min(1).max(64) }),
        response: { 200: ApiKey },
      },
      config: { permission: { resource: 'api_keys', action: 'write', tenant: 'params.id' } },
      handler: async (request) => {
        const { id: tenantId, keyId } = request.params;
        const revoked = await control.mutate(actorOf(request), request.rowScope, async (tx) => {
          const where = () =>
            tx.selectFrom('api_keys').select(keyColumns).where('id', '=', keyId).where('tenant_id', '=', tenantId);
          const before = await where().forUpdate().executeTakeFirst();
          if (before === undefined) {
            throw new AppError('access.key_unknown', 'the tenant has no such key', {
              status: 404,
              field: 'params.keyId',
            });
          }
          // A second revocation keeps the first one's instant.
          const revokedAt = before.revoked_at ?? new Date(clock.now()).toISOString();
          await tx.updateTable('api_keys').set({ revoked_at: revokedAt }).where('id', '=', keyId).execute();
          const after = await where().executeTakeFirst();
          invariant(after, 'a locked key is still there');
          const result = toApiKey(after);
          const audit = {
            action: 'api_key.revoke',
            resource: `api_key:${keyId}`,
            tenantId,
            before: toApiKey(before),
            after: result,
          };
          return { result, audit };
        });
        access.forget(keyId);
        return revoked;
      },
    });
  };
}
