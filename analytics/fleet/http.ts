import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import { Fleet, type FleetRow, PageQuery, TenantId, type TenantRecord } from 'streams/contract';
import type { Clock } from 'streams/runtime';
import type { Store } from 'streams/store';
import { readFleet } from './fleet-reader.ts';

/** Rows younger than this are answered again: many open overviews cost one reading. */
const freshMs = 2_000;
/** Rows up to this age are answered at once while new ones are read behind; older ones are read anew before answering. */
const usableMs = 8_000;

/** `GET /api/v1/analytics/fleet`: the operator sees all tenants, a partner its own, a tenant itself. */
export function fleetRoutes(deps: {
  readonly store: Store;
  readonly tenants: TenantDirectory;
  readonly clock: Clock;
}): FastifyPluginAsyncZod {
  interface Entry {
    readonly at: number;
    readonly rows: Promise<FleetRow[]>;
    refreshing: boolean;
  }
  const cache = new Map<string, Entry>();
  function read(tenants: readonly TenantRecord[], nowMs: number): Entry {
    return { at: nowMs, rows: readFleet(deps.store, tenants, nowMs), refreshing: false };
  }
  function rowsOf(tenants: readonly TenantRecord[]): Promise<FleetRow[]> {
    const nowMs = deps.clock.now();
    const key = JSON.stringify(tenants);
    for (const [old, entry] of cache) if (nowMs - entry.at > usableMs) cache.delete(old);
    const known = cache.get(key);
    if (known === undefined) {
      const entry = read(tenants, nowMs);
      cache.set(key, entry);
      entry.rows.catch(() => cache.delete(key));
      return entry.rows;
    }
    if (nowMs - known.at > freshMs && !known.refreshing) {
      known.refreshing = true;
      const next = read(tenants, nowMs);
      // A failed refresh leaves the old rows until they are too old; then the failure is answered.
      next.rows.then(
        () => cache.set(key, next),
        () => {
          known.refreshing = false;
        },
      );
    }
    return known.rows;
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
