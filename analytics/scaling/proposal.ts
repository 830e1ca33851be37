import type { Tier } from 'streams/contract';
import type { ScalingPolicy } from './policy.ts';

/** What is known of one tenant's CPU. *Units* cores; minutes and hours since the epoch; milliseconds. *Shape* in any order, one entry a minute and an hour. */
export interface CpuFacts {
  readonly tier: Tier;
  readonly minutes: readonly { readonly minute: number; readonly cores: number }[];
  readonly hours: readonly { readonly hour: number; readonly cores: number }[];
  /** Newest datum; null when there is none. */
  readonly newestMs: number | null;
  readonly nowMs: number;
}

/** What the rules say. `frozen` means that nothing can be said: stale or missing telemetry is no ground to act on. */
export type ScalingVerdict =
  | { readonly kind: 'frozen'; readonly code: 'no_data' | 'stale' | 'too_little_data'; readonly reason: string }
  | { readonly kind: 'steady'; readonly reason: string }
  | {
      readonly kind: 'propose';
      readonly direction: 'out' | 'in';
      readonly tier: Tier;
      readonly reason: string;
      readonly counterfactual: string;
      readonly values: Readonly<Record<string, number>>;
    };

const percent = (fraction: number): string => `${Math.round(fraction * 1_000) / 10} %`;

/**
 * Judges sustained CPU use against the tier's limit.
 *
 * *Bias* errs towards doing nothing: stale or sparse data freezes, a single peak neither scales out nor keeps from it, and scale-in asks for days without one busy hour.
 */
export function judgeScaling(facts: CpuFacts, policy: ScalingPolicy): ScalingVerdict {
  const { newestMs, nowMs } = facts;
  if (newestMs === null) return { kind: 'frozen', code: 'no_data', reason: 'no CPU use is stored' };
  const ageSeconds = Math.round((nowMs - newestMs) / 1_000);
  if (ageSeconds > policy.staleSeconds) {
    return { kind: 'frozen', code: 'stale', reason: `the newest CPU use is ${ageSeconds} s old` };
  }
  const index = policy.tiers.findIndex((entry) => entry.tier === facts.tier);
  const limit = policy.tiers[index]?.cores;
  if (limit === undefined) return { kind: 'frozen', code: 'no_data', reason: `tier ${facts.tier} has no limit` };
  const earliest = Math.floor(nowMs / 60_000) - policy.windowSpanMinutes;
  const window = facts.minutes
    .filter((entry) => entry.minute >= earliest)
    .sort((a, b) => b.minute - a.minute)
    .slice(0, policy.windowMinutes);
  if (window.length < policy.windowMinutes) {
    return {
      kind: 'frozen',
      code: 'too_little_data',
      reason: `${window.length} of the last ${policy.windowSpanMinutes} minutes are measured, ${policy.windowMinutes} are needed`,
    };
  }
  const high = window.filter((entry) => entry.cores > policy.highFraction * limit).length;
  if (high >= policy.highMinutes) return judgeOut(index, limit, high, window, policy);
  return judgeIn(facts, index, limit, policy);
}

function judgeOut(
  index: number,
  limit: number,
  high: number,
  window: CpuFacts['minutes'],
  policy: ScalingPolicy,
): ScalingVerdict {
  const words = `CPU above ${percent(policy.highFraction)} of ${limit} ${limit === 1 ? 'core' : 'cores'} in ${high} of the last ${window.length} measured minutes`;
  const next = policy.tiers[index + 1];
  if (next === undefined) return { kind: 'steady', reason: `${words}, and there is no larger tier` };
  const mean = window.reduce((sum, entry) => sum + entry.cores, 0) / window.length;
  return {
    kind: 'propose',
    direction: 'out',
    tier: next.tier,
    reason: words,
    counterfactual: `without it the instance stays at ${percent(mean / limit)} of its limit; on ${next.tier} the same load is ${percent(mean / next.cores)}`,
    values: { limitCores: limit, meanCores: mean, highMinutes: high, windowMinutes: window.length },
  };
}

function judgeIn(facts: CpuFacts, index: number, limit: number, policy: ScalingPolicy): ScalingVerdict {
  const current = Math.floor(facts.nowMs / 3_600_000);
  const hours = facts.hours.filter((entry) => entry.hour >= current - policy.lowHours && entry.hour < current);
  const smaller = policy.tiers[index - 1];
  if (smaller === undefined || hours.length < policy.lowHoursMeasuredMin) {
    return { kind: 'steady', reason: 'CPU use is within its limit' };
  }
  const recent = facts.minutes.filter((entry) => entry.minute >= current * 60);
  const peak = Math.max(...hours.map((entry) => entry.cores), ...recent.map((entry) => entry.cores));
  if (peak >= policy.lowFraction * limit || peak >= policy.fitFraction * smaller.cores) {
    return { kind: 'steady', reason: `CPU use reached ${percent(peak / limit)} of its limit in the last days` };
  }
  return {
    kind: 'propose',
    direction: 'in',
    tier: smaller.tier,
    reason: `CPU never above ${percent(policy.lowFraction)} of ${limit} ${limit === 1 ? 'core' : 'cores'} in the last ${policy.lowHours} hours (${hours.length} measured)`,
    counterfactual: `without it ${limit - smaller.cores} cores stay reserved and unused; on ${smaller.tier} the highest use is ${percent(peak / smaller.cores)} of the limit. Memory and storage were not judged`,
    values: { limitCores: limit, peakCores: peak, measuredHours: hours.length },
  };
}
