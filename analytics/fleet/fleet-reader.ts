import { type FleetRow, periodAt, Tenant, type TenantRecord } from 'streams/contract';
import type { Store } from 'streams/store';
import { dailyMeansQuery } from '../forecast/queries.ts';
import { readSla } from '../sla/sla-reader.ts';
import { healthNowQuery, lastSeenQuery, latestGaugeQuery } from './queries.ts';

const dayMs = 86_400_000;
const trendDays = 30;
const healthWindowMs = 5 * 60_000;
/** The newest customer count may be this old. */
const customersWindowMs = 2 * 3_600_000;
const customersMetric = 'dotmac.customers.active';

const healthOf = (worst: number | undefined): FleetRow['health'] =>
  worst === undefined ? 'unmeasured' : worst >= 2 ? 'down' : worst >= 1 ? 'degraded' : 'up';

/**
 * The overview rows of tenants, in their order, in six queries for all of them. What could not be measured is null.
 *
 * *Units* `nowMs` milliseconds since the epoch; the trend is the last 30 whole UTC days and the running one, oldest first.
 */
export async function readFleet(store: Store, tenants: readonly TenantRecord[], nowMs: number): Promise<FleetRow[]> {
  if (tenants.length === 0) return [];
  const numbers = tenants.map((tenant) => tenant.number);
  const trendStart = Math.floor(nowMs / dayMs) * dayMs - trendDays * dayMs;
  const [health, seen, latest, means, slas] = await Promise.all([
    store.query(healthNowQuery, { tenants: numbers, start: nowMs - healthWindowMs, end: nowMs }),
    store.query(lastSeenQuery, { tenants: numbers }),
    store.query(latestGaugeQuery, {
      tenants: numbers,
      metric: customersMetric,
      start: nowMs - customersWindowMs,
      end: nowMs,
    }),
    store.query(dailyMeansQuery, { tenants: numbers, metric: customersMetric, start: trendStart, end: nowMs }),
    readSla(
      store,
      tenants.map((tenant) => ({ tenant, period: periodAt(nowMs, tenant.timeZone).period })),
      nowMs,
    ),
  ]);
  const healthOfTenant = new Map(health.map((row) => [row.tenantNumber, row.worst]));
  const seenOf = new Map(seen.map((row) => [row.tenantNumber, row.lastSeenMs]));
  const latestOf = new Map(latest.map((row) => [row.tenantNumber, row.value]));
  const meansOf = Map.groupBy(means, (row) => row.tenantNumber);
  return tenants.map((tenant, i) => {
    const byDay = new Map((meansOf.get(tenant.number) ?? []).map((row) => [row.dayMs, row.mean]));
    const lastSeenMs = seenOf.get(tenant.number);
    return {
      tenant: Tenant.parse(tenant),
      health: healthOf(healthOfTenant.get(tenant.number)),
      lastSeenAt: lastSeenMs === undefined ? null : new Date(lastSeenMs).toISOString(),
      attainment: slas[i]?.attainment ?? null,
      budgetRemaining: slas[i]?.budgetRemaining ?? null,
      customers: latestOf.get(tenant.number) ?? null,
      customersTrend: Array.from({ length: trendDays + 1 }, (_, day) => byDay.get(trendStart + day * dayMs) ?? null),
    };
  });
}
