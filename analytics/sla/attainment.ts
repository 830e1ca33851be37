import type { Objective } from './objectives.ts';

/** Consecutive measured minutes of one tenant. *Units* minutes since the epoch, `until` exclusive. *Shape* runs may overlap and come in any order; bad wins. */
export interface ProbeRun {
  readonly from: number;
  readonly until: number;
  readonly bad: boolean;
}

/** Requests of one minute. *Units* minutes since the epoch; counts may be fractions of a longer interval. */
export interface RequestMinute {
  readonly minute: number;
  readonly requests: number;
  readonly errors: number;
}

/** A half-open stretch to report on, with the local days that it falls into. *Units* milliseconds since the epoch. */
export interface Day {
  readonly day: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** Seconds of a stretch by what is known about them. Bad seconds are part of the measured ones. */
export interface Measured {
  readonly attainment: number | null;
  readonly measuredSeconds: number;
  readonly unmeasuredSeconds: number;
  readonly badSeconds: number;
}

export interface Attainment extends Measured {
  readonly budgetRemaining: number | null;
  readonly days: readonly (Measured & { readonly day: string })[];
}

const unmeasured = 0;
const good = 1;
const bad = 2;

function fill(minutes: Uint8Array, firstMinute: number, runs: readonly ProbeRun[]): void {
  for (const run of runs) {
    const from = Math.max(0, run.from - firstMinute);
    const until = Math.min(minutes.length, run.until - firstMinute);
    const state = run.bad ? bad : good;
    for (let i = from; i < until; i++) minutes[i] = Math.max(minutes[i] ?? unmeasured, state);
  }
}

function countMinutes(minutes: Uint8Array, from: number, until: number): Measured {
  let measuredMinutes = 0;
  let badMinutes = 0;
  for (let i = from; i < until; i++) {
    if (minutes[i] !== unmeasured) measuredMinutes++;
    if (minutes[i] === bad) badMinutes++;
  }
  return {
    attainment: measuredMinutes === 0 ? null : (measuredMinutes - badMinutes) / measuredMinutes,
    measuredSeconds: measuredMinutes * 60,
    unmeasuredSeconds: (Math.max(0, until - from) - measuredMinutes) * 60,
    badSeconds: badMinutes * 60,
  };
}

/**
 * Fraction of an error budget that is left: 1 − bad / ((1 − target) × measured). Negative when overspent, null when nothing was measured.
 *
 * *Source* Google SRE Workbook, "Implementing SLOs": the budget is (1 − SLO) of the events of the window; here an event is a measured minute.
 */
export function budgetRemaining(
  measured: Pick<Measured, 'measuredSeconds' | 'badSeconds'>,
  target: number,
): number | null {
  if (measured.measuredSeconds === 0) return null;
  return 1 - measured.badSeconds / ((1 - target) * measured.measuredSeconds);
}

/** True when too many of a minute's requests failed. */
export function failing({ requests, errors }: RequestMinute, objective: Objective): boolean {
  return requests >= objective.requestsPerMinuteMin && errors > objective.errorRatioMax * requests;
}

/**
 * Judges every minute of a period: bad when a probe was down or too many requests failed, good when it was measured otherwise, else unmeasured.
 *
 * *Shape* `days` are consecutive and cover the period. *Bias* only minutes that have ended count, and the running one once a probe measured it; a minute is measured by
 * probes alone: requests can make a measured minute bad, never an unmeasured one measured.
 */
export function attain(input: {
  readonly days: readonly Day[];
  readonly nowMs: number;
  readonly probes: readonly ProbeRun[];
  readonly requests: readonly RequestMinute[];
  readonly objective: Objective;
}): Attainment {
  const startMs = input.days[0]?.startMs ?? 0;
  const endMs = input.days.at(-1)?.endMs ?? 0;
  const first = Math.floor(startMs / 60_000);
  const periodMinutes = Math.ceil(endMs / 60_000) - first;
  const ended = Math.min(periodMinutes, Math.max(0, Math.floor(input.nowMs / 60_000) - first));
  const started = Math.min(periodMinutes, Math.max(0, Math.floor(input.nowMs / 60_000) + 1 - first));
  const minutes = new Uint8Array(started);
  fill(minutes, first, input.probes);
  for (const request of input.requests) {
    const i = request.minute - first;
    if (i < 0 || i >= started || minutes[i] === unmeasured) continue;
    if (failing(request, input.objective)) minutes[i] = bad;
  }
  const elapsed = started > ended && minutes[ended] !== unmeasured ? started : ended;
  const total = countMinutes(minutes, 0, elapsed);
  const days = input.days
    .map((day) => ({ day, from: Math.floor(day.startMs / 60_000) - first }))
    .filter(({ from }) => from < elapsed)
    .map(({ day, from }) => ({
      day: day.day,
      ...countMinutes(minutes, from, Math.min(elapsed, Math.floor(day.endMs / 60_000) - first)),
    }));
  return { ...total, budgetRemaining: budgetRemaining(total, input.objective.target), days };
}
