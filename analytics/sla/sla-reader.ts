import { periodOf, type SlaReport, type TenantRecord } from 'streams/contract';
import type { Store } from 'streams/store';
import { attain } from './attainment.ts';
import { localDays } from './local-days.ts';
import { defaultObjective } from './objectives.ts';
import { errorMinutesQuery, probeRunsQuery } from './queries.ts';

/** A tenant and the month in its own zone that is asked for. */
export interface SlaSubject {
  readonly tenant: TenantRecord;
  readonly period: string;
}

/**
 * Service levels of tenants over months in their own zones, in two queries for all of them. A running period counts up to `nowMs`.
 *
 * *Shape* one report a subject, in order. *Errors* `period.invalid` (400), and the store's.
 */
export async function readSla(store: Store, subjects: readonly SlaSubject[], nowMs: number): Promise<SlaReport[]> {
  const objective = defaultObjective;
  const asked = subjects.map(({ tenant, period }) => {
    const { startMs, endMs } = periodOf(period, tenant.timeZone);
    return { tenant, period, startMs, endMs };
  });
  const start = Math.min(...asked.map((one) => one.startMs));
  const end = Math.min(Math.max(...asked.map((one) => one.endMs)), nowMs + 60_000);
  const params = { tenants: asked.map((one) => one.tenant.number), start, end };
  const readable = asked.length > 0 && start < end;
  const [probes, requests] = readable
    ? await Promise.all([
        store.query(probeRunsQuery, params),
        store.query(errorMinutesQuery, {
          ...params,
          minimum: objective.requestsPerMinuteMin,
          limit: objective.errorRatioMax,
        }),
      ])
    : [[], []];
  const probesOf = Map.groupBy(probes, (row) => row.tenantNumber);
  const requestsOf = Map.groupBy(requests, (row) => row.tenantNumber);
  return asked.map(({ tenant, period, startMs, endMs }) => {
    const result = attain({
      days: localDays(startMs, endMs, tenant.timeZone),
      nowMs,
      probes: probesOf.get(tenant.number) ?? [],
      requests: requestsOf.get(tenant.number) ?? [],
      objective,
    });
    return {
      tenant: tenant.id,
      period,
      timeZone: tenant.timeZone,
      objective: objective.target,
      ...result,
      days: [...result.days],
    };
  });
}
