/** One usable point of a monotonic cumulative sum. *Units* milliseconds since the epoch; `startMs` is 0 when the sender named no start. */
export interface CounterPoint {
  readonly timeMs: number;
  readonly startMs: number;
  readonly value: number;
}

/**
 * What a point says about the growth since the one before it.
 *
 * `step` grew from `base`; `started` counts from zero since a known start; `reset` the counter began again; `unknown_start` nothing is known before it; `overlap` belongs to a second writer and is not counted.
 */
export type CounterStepKind = 'step' | 'started' | 'reset' | 'unknown_start' | 'overlap';

/** Growth of a point is `value - base`; null means that nothing of it is counted. */
export interface CounterStep {
  readonly kind: CounterStepKind;
  readonly base: number | null;
}

/** Points of one writer further apart than this have a gap between them, and a writer that is silent for longer has ended. *Source* the rule of measured minutes. */
export const gapMs = 300_000;
/** Starts that senders compute from an uptime tremble by about a timer's resolution. */
const startJitterMs = 1000;

/** The run that is followed: its newest counted point. */
interface Run {
  readonly value: number;
  readonly timeMs: number;
  readonly startMs: number;
}
/** Points after a fall that is not decided yet: the first of them, and the newest value. */
interface Lower {
  readonly from: number;
  readonly value: number;
  readonly timeMs: number;
}
/** A fall after which the old level came back: a reset and growth, unless the values fall to the lower ones again. */
interface Turn extends Lower {
  readonly to: number;
  readonly level: number;
}

const uncounted = (kind: 'unknown_start' | 'overlap'): CounterStep => ({ kind, base: null });
const overlap = uncounted('overlap');

/**
 * The growth of one counter, point by point, so that one writer is billed at a time: the rule that the engine's function `counter_steps` states in SQL, in plain code.
 *
 * - A first point counts from zero when its start is known and not before `sinceMs`; otherwise nothing is known before it. A start equal to the time is OTLP's mark of an unknown start.
 * - A start at or after the last counted point is a reset and counts from zero.
 * - A start before the last counted point is a second writer: it is followed from then on, its growth before is not counted, and points of the older start are not counted any more unless the newer one has been silent for {@link gapMs}.
 * - A fall under the same start (or without any) is a reset. When the old level comes back and the values fall again to where the lower ones were, all within {@link gapMs}, two writers take turns:
 *   only the upper one is counted while it lasts, from the first turn on; the lower one goes on from its last value when the upper one has ended.
 *
 * *Shape* `points` ascend by time, one a millisecond. *Bias* never more than the writers really counted when each names its start; without starts, when each comes at least twice and every five minutes.
 * *Source* OpenTelemetry metrics data model: resets and gaps, cumulative streams with unknown start, overlap.
 */
export function counterSteps(points: readonly CounterPoint[], sinceMs: number): CounterStep[] {
  const steps: CounterStep[] = [];
  let run: Run | null = null;
  let lower: Lower | null = null;
  let turn: Turn | null = null;
  /** The lower one of two writers that take turns. */
  let covered: Omit<Lower, 'from'> | null = null;
  const pointTime = (index: number) => points[index]?.timeMs ?? 0;
  const pointValue = (index: number) => points[index]?.value ?? 0;

  /** The newest rise before `before`, within five minutes, that passed the value there: the first turn of an upper writer. */
  const voidRise = (before: number) => {
    for (let index = before - 1; index >= 0 && pointTime(before) - pointTime(index) <= gapMs; index--) {
      const { kind, base } = steps[index] ?? overlap;
      if (kind !== 'step' || base === null || base > pointValue(before) || pointValue(index) <= pointValue(before))
        continue;
      steps[index] = overlap;
      return;
    }
  };
  const cover = (from: number, to: number) => steps.fill(overlap, from, to);

  points.forEach(({ timeMs, startMs, value }, index) => {
    const start = startMs > timeMs ? 0 : startMs;
    const follow = (step: CounterStep) => {
      steps.push(step);
      run = { value, timeMs, startMs: start };
    };
    if (run === null) {
      const known = start > 0 && start < timeMs && start >= sinceMs;
      follow(known ? { kind: 'started', base: 0 } : uncounted('unknown_start'));
      return;
    }
    const isSame = (start === 0) === (run.startMs === 0) && Math.abs(start - run.startMs) <= startJitterMs;
    if (lower !== null && (!isSame || timeMs - run.timeMs > gapMs)) {
      // The old level did not come back: the points below it stand.
      run = { ...run, value: lower.value, timeMs: lower.timeMs };
      [lower, covered] = [null, null];
    }
    if (covered !== null && lower === null && timeMs - covered.timeMs > gapMs) covered = null;
    if (turn !== null && timeMs - turn.timeMs > gapMs) turn = null;
    if (start > run.startMs && start >= run.timeMs) {
      [lower, turn, covered] = [null, null, null];
      follow(start < timeMs ? { kind: 'reset', base: 0 } : uncounted('unknown_start'));
    } else if (!isSame && start < run.startMs && timeMs - run.timeMs <= gapMs) steps.push(overlap);
    else if (!isSame) {
      [lower, turn, covered] = [null, null, null];
      follow(overlap);
    } else if (lower === null && value >= run.value) follow({ kind: 'step', base: run.value });
    else if (lower === null) {
      lower = { from: index, value, timeMs };
      if (turn !== null && value >= turn.value) {
        voidRise(turn.from);
        cover(turn.from, turn.to);
        steps[turn.to] = { kind: 'step', base: turn.level };
        covered = { value: turn.value, timeMs };
      }
      turn = null;
      if (covered === null) steps.push({ kind: 'reset', base: 0 });
      else steps.push(covered.value <= value ? { kind: 'step', base: covered.value } : overlap);
    } else if (value >= run.value) {
      const level = run.value;
      if (covered === null) {
        turn = { ...lower, to: index, level };
        follow({ kind: 'step', base: lower.value });
      } else {
        cover(lower.from, index);
        covered = lower;
        follow({ kind: 'step', base: level });
      }
      lower = null;
    } else {
      steps.push(
        value >= lower.value
          ? { kind: 'step', base: lower.value }
          : covered === null
            ? { kind: 'reset', base: 0 }
            : overlap,
      );
      lower = { ...lower, value, timeMs };
    }
  });
  return steps;
}
