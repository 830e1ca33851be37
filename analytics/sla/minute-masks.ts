import { failing, type ProbeRun, type RequestMinute } from './attainment.ts';
import type { Objective } from './objectives.ts';

/** What is known of the minutes of one UTC hour. *Shape* bit i is minute i; bad minutes are measured ones. */
export interface MinuteMasks {
  readonly measured: bigint;
  readonly bad: bigint;
}

/** Masks by hour. *Units* hours since the epoch. */
export type HourMasks = ReadonlyMap<number, MinuteMasks>;

const bits = (from: number, until: number): bigint => ((1n << BigInt(until - from)) - 1n) << BigInt(from);

/**
 * Reduces runs and failing minutes of one tenant to a pair of masks an hour, by the rules of {@link attain}.
 *
 * *Shape* hours without a measured minute are absent; runs in any order, bad wins.
 */
export function toHourMasks(
  probes: readonly ProbeRun[],
  requests: readonly RequestMinute[],
  objective: Objective,
): Map<number, MinuteMasks> {
  const masks = new Map<number, { measured: bigint; bad: bigint }>();
  for (const run of probes) {
    for (let from = run.from; from < run.until; ) {
      const hour = Math.floor(from / 60);
      const until = Math.min(run.until, (hour + 1) * 60);
      const set = bits(from - hour * 60, until - hour * 60);
      const known = masks.get(hour) ?? { measured: 0n, bad: 0n };
      masks.set(hour, { measured: known.measured | set, bad: run.bad ? known.bad | set : known.bad });
      from = until;
    }
  }
  for (const request of requests) {
    const hour = Math.floor(request.minute / 60);
    const known = masks.get(hour);
    if (known === undefined || !failing(request, objective)) continue;
    known.bad |= known.measured & (1n << BigInt(request.minute - hour * 60));
  }
  return masks;
}

/** Runs of minutes that say the same as the masks. *Shape* ascending by hour as given, none longer than an hour. *Units* minutes since the epoch. */
export function toRuns(
  masks: Iterable<{ readonly hour: number; readonly measured: bigint; readonly bad: bigint }>,
): ProbeRun[] {
  const runs: ProbeRun[] = [];
  for (const { hour, measured, bad } of masks) {
    let from = 0;
    for (let minute = 1; minute <= 60; minute++) {
      const state = (at: number): bigint => (((measured >> BigInt(at)) & 1n) << 1n) | ((bad >> BigInt(at)) & 1n);
      const before = state(from);
      if (minute < 60 && state(minute) === before) continue;
      if (before >= 2n) runs.push({ from: hour * 60 + from, until: hour * 60 + minute, bad: before === 3n });
      from = minute;
    }
  }
  return runs;
}
