import { periodOf, type SlaReport, type TenantRecord } from 'streams/contract';
import type { Store } from 'streams/store';
import { attain, budgetRemaining } from './attainment.ts';
import { localDays } from './local-days.ts';
import { toRuns } from './minute-masks.ts';
import { defaultObjective } from './objectives.ts';
import { hourMasksQuery, minuteTotalsQuery } from './queries.ts';

/** A tenant and the month in its own zone that is asked for. */
export interface SlaSubject {
  readonly tenant: TenantRecord;
  readonly period: string;
}

const hourSeconds = 3600;

/**
 * Service levels of tenants over months in their own zones, in one query of masks for all of them. A running period counts up to `nowMs`.
 *
 * *Shape* one report a subject, in order. *Bias* what the job has not computed yet is unmeasured. *Errors* `period.invalid` (400), and the store's.
 */
export async function readSla(store: Store, subjects: readonly SlaSubject[], nowMs: number): Promise<SlaReport[]> {
  const objective = defaultObjective;
  const asked = subjects.map(({ tenant, period }) => {
    const { startMs, endMs } = periodOf(period, tenant.timeZone);
    return { tenant, period, startMs, endMs };
  });
  const startMs = Math.min(...asked.map((one) => one.startMs));
  const endMs = Math.min(Math.max(...asked.map((one) => one.endMs)), nowMs + 60_000);
  const rows =
    asked.length > 0 && startMs < endMs
      ? await store.query(hourMasksQuery, {
          tenants: [...new Set(asked.map((one) => one.tenant.number))],
          // A zone whose offset is not whole hours begins its month inside an hour.
          from: Math.floor(startMs / 1000 / hourSeconds) * hourSeconds,
          to: Math.ceil(endMs / 1000),
        })
      : [];
  const masksOf = Map.groupBy(rows, (row) => row.tenantNumber);
  return asked.map(({ tenant, period, startMs, endMs }) => {
    const result = attain({
      days: localDays(startMs, endMs, tenant.timeZone),
      nowMs,
      probes: toRuns(masksOf.get(tenant.number) ?? []),
      requests: [],
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

/** A tenant's running month in three figures. `budgetRemainingSeconds` is the bad time that the measured part of the month still allows. */
export interface SlaSummary {
  readonly attainment: number;
  readonly budgetRemaining: number | null;
  readonly budgetRemainingSeconds: number;
}

/**
 * The figures of {@link readSla} without its days, counted by the engine: for many tenants at once.
 *
 * *Shape* by tenant number; tenants without a measured minute are absent.
 */
export async function readSlaSummaries(
  store: Store,
  subjects: readonly SlaSubject[],
  nowMs: number,
): Promise<Map<number, SlaSummary>> {
  const { target } = defaultObjective;
  if (subjects.length === 0) return new Map();
  const stretches = subjects.map(({ tenant, period }) => periodOf(period, tenant.timeZone));
  const rows = await store.query(minuteTotalsQuery, {
    tenants: subjects.map(({ tenant }) => tenant.number),
    firsts: stretches.map(({ startMs }) => Math.floor(startMs / 60_000)),
    // The running minute counts once it is measured.
    lasts: stretches.map(({ endMs }) => Math.min(Math.ceil(endMs / 60_000), Math.floor(nowMs / 60_000) + 1)),
  });
  return new Map(
    rows.map(({ tenantNumber, measuredMinutes, badMinutes }) => {
      const totals = { measuredSeconds: measuredMinutes * 60, badSeconds: badMinutes * 60 };
      const summary = {
        attainment: (measuredMinutes - badMinutes) / measuredMinutes,
        budgetRemaining: budgetRemaining(totals, target),
        budgetRemainingSeconds: Math.round((1 - target) * totals.measuredSeconds - totals.badSeconds),
      };
      return [tenantNumber, summary];
    }),
  );
}
