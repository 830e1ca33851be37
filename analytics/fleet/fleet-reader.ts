import { type FleetRow, periodAt, Tenant, type TenantRecord } from 'streams/contract';
import type { Store } from 'streams/store';
import { dailyMeansQuery } from '../forecast/queries.ts';
import { readSlaSummaries } from '../sla/sla-reader.ts';
import { healthNowQuery, lastSeenQuery, latestGaugeQuery } from './queries.ts';

const dayMs = 86_400_000;
const trendDays = 30;
const healthWindowMs = 5 * 60_000;
/** The newest customer count may be this old. */
const customersWindowMs = 2 * 3_600_000;
/** Who sent something that occurred this recently is looked for here alone. */
const seenWindowMs = 2 * 3_600_000;
const customersMetric = 'dotmac.customers.active';

const healthOf = (worst: number | undefined): FleetRow['health'] =>
  worst === undefined ? 'unmeasured' : worst >= 2 ? 'down' : worst >= 1 ? 'degraded' : 'up';

/** Newest batches by tenant: among the hand-overs of the last hours, and among all of them for those who were silent since. *Units* milliseconds since the epoch. */
async function readLastSeen(store: Store, numbers: number[], nowMs: number): Promise<Map<number, number>> {
  const rows = await store.query(lastSeenQuery, { tenants: numbers, since: nowMs - seenWindowMs });
  const seen = new Map(rows.map((row) => [row.tenantNumber, row.lastSeenMs]));
  const silent = numbers.filter((number) => !seen.has(number));
  if (silent.length === 0) return seen;
  for (const row of await store.query(lastSeenQuery, { tenants: silent, since: 0 })) {
    seen.set(row.tenantNumber, row.lastSeenMs);
  }
  return seen;
}

/**
 * The overview rows of tenants, in their order, in a handful of queries for all of them. What could not be measured is null.
 *
 * *Units* `nowMs` milliseconds since the epoch; the trend is the last 30 whole UTC days and the running one, oldest first.
 */
export async function readFleet(store: Store, tenants: readonly TenantRecord[], nowMs: number): Promise<FleetRow[]> {
  if (tenants.length === 0) return [];
  const numbers = tenants.map((tenant) => tenant.number);
  const trendStart = Math.floor(nowMs / dayMs) * dayMs - trendDays * dayMs;
  const [health, seen, latest, means, slas] = await Promise.all([
    store.query(healthNowQuery, { tenants: numbers, start: nowMs - healthWindowMs, end: nowMs }),
    readLastSeen(store, numbers, nowMs),
    store.query(latestGaugeQuery, {
      tenants: numbers,
      metric: customersMetric,
      start: nowMs - customersWindowMs,
      end: nowMs,
    }),
    store.query(dailyMeansQuery, { tenants: numbers, metric: customersMetric, start: trendStart, end: nowMs }),
    readSlaSummaries(
      store,
      tenants.map((tenant) => ({ tenant, period: periodAt(nowMs, tenant.timeZone).period })),
      nowMs,
    ),
  ]);
  const healthOfTenant = new Map(health.map((row) => [row.tenantNumber, row.worst]));
  const latestOf = new Map(latest.map((row) => [row.tenantNumber, row.value]));
  const meansOf = Map.groupBy(means, (row) => row.tenantNumber);
  return tenants.map((tenant) => {
    const byDay = new Map((meansOf.get(tenant.number) ?? []).map((row) => [row.dayMs, row.mean]));
    const lastSeenMs = seen.get(tenant.number);
    const sla = slas.get(tenant.number);
    return {
      tenant: Tenant.parse(tenant),
      health: healthOf(healthOfTenant.get(tenant.number)),
      lastSeenAt: lastSeenMs === undefined ? null : new Date(lastSeenMs).toISOString(),
      attainment: sla?.attainment ?? null,
      budgetRemaining: sla?.budgetRemaining ?? null,
      budgetRemainingSeconds: sla?.budgetRemainingSeconds ?? null,
      customers: latestOf.get(tenant.number) ?? null,
      customersTrend: Array.from({ length: trendDays + 1 }, (_, day) => byDay.get(trendStart + day * dayMs) ?? null),
    };
  });
}
