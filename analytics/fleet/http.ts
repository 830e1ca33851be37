import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import { Fleet, type FleetRow, PageQuery, TenantId, type TenantRecord } from 'streams/contract';
import type { Clock } from 'streams/runtime';
import type { Store } from 'streams/store';
import { readFleet } from './fleet-reader.ts';

/** The same page asked for again within this time gets the same rows: many open overviews cost one reading. */
const cacheMs = 5_000;

/** `GET /api/v1/analytics/fleet`: the operator sees all tenants, a partner its own, a tenant itself. */
export function fleetRoutes(deps: {
  readonly store: Store;
  readonly tenants: TenantDirectory;
  readonly clock: Clock;
}): FastifyPluginAsyncZod {
  const cache = new Map<string, { readonly until: number; readonly rows: Promise<FleetRow[]> }>();
  function rowsOf(tenants: readonly TenantRecord[]): Promise<FleetRow[]> {
    const nowMs = deps.clock.now();
    const key = JSON.stringify(tenants);
    for (const [old, entry] of cache) if (entry.until <= nowMs) cache.delete(old);
    const known = cache.get(key);
    if (known !== undefined) return known.rows;
    const rows = readFleet(deps.store, tenants, nowMs);
    rows.catch(() => cache.delete(key));
    cache.set(key, { until: nowMs + cacheMs, rows });
    return rows;
  }
  return async (app) => {
    app.get(
      '/api/v1/analytics/fleet',
      {
        config: { permission: { resource: 'analytics', action: 'read', tenant: 'query' } },
        schema: {
          tags: ['analytics'],
          summary: 'Every visible tenant with health, service level and customers',
          querystring: PageQuery.extend({ tenant: TenantId.optional() }),
          response: { 200: Fleet },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const { principal, tenant } = request;
        const visible = deps.tenants
          .list()
          .filter((one) => tenant === null || one.id === tenant.id)
          .filter((one) => principal.role !== 'tenant' || one.id === principal.tenantId)
          .filter(
            (one) => principal.role !== 'partner' || (one.partnerId !== null && one.partnerId === principal.partnerId),
          )
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .filter((one) => cursor === undefined || one.id > cursor);
        const page = visible.slice(0, limit);
        const last = page.at(-1);
        return {
          items: await rowsOf(page),
          nextCursor: visible.length > limit && last !== undefined ? last.id : null,
        };
      },
    );
  };
}
