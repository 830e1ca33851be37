import { AppError } from 'streams/contract';

/**
 * Bounds of one answer.
 *
 * *Source* the design's limits: as many points as a Prometheus range query gives a series, and a chart's worth of series; `cells` bounds what the engine aggregates and the answer holds at once.
 */
export const rangeLimits = { points: 11_000, series: 1_000, cells: 1_000_000, groups: 50_000 } as const;

/** How far before the range a counter's predecessor is looked for. A longer silence starts a new count. */
export const lookbackMs = 6 * 3_600_000;

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a duration such as `60s`, `5m`, `1h`, `1d`. *Errors* `telemetry.step_invalid`. */
export function parseStep(step: string): number {
  const match = /^([1-9]\d{0,6})([smhd])$/.exec(step);
  const unit = unitMs[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new AppError('telemetry.step_invalid', `"${step}" is not a duration such as 60s, 5m, 1h or 1d`, {
      status: 400,
      field: 'step',
    });
  }
  return Number(match[1]) * unit;
}

/** A half-open range. *Units* milliseconds since the epoch. */
export interface Instants {
  readonly start: number;
  readonly end: number;
}

const hourMs = 3_600_000;

/** Reads a half-open range of ISO instants; it ends now and begins an hour before its end unless it says otherwise. *Errors* `telemetry.range_invalid` naming `end`. */
export function parseInstants(
  range: { readonly start?: string | undefined; readonly end?: string | undefined },
  nowMs: number,
): Instants {
  const start = range.start === undefined ? null : Date.parse(range.start);
  // Without an end a range that begins in the future is as wrong as one that ends before it begins.
  const end = range.end === undefined ? nowMs : Date.parse(range.end);
  const from = start ?? end - hourMs;
  if (!(from < end)) {
    throw new AppError('telemetry.range_invalid', 'start must be before end', { status: 400, field: 'end' });
  }
  return { start: from, end };
}

const stepsOffered = [60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800].map((s) => s * 1_000);
const pointsOffered = 720;

/** The step of a request that names none: the smallest of the usual ones that gives at most 720 points. *Units* milliseconds. */
export function defaultStepMs(range: Instants): number {
  const length = range.end - range.start;
  return stepsOffered.find((step) => length / step <= pointsOffered) ?? stepsOffered.at(-1) ?? hourMs;
}

/** Refuses a range with more steps than an answer may hold. *Errors* `telemetry.too_many_points` (422) with the smallest step that fits. */
export function assertSteps(range: Instants, stepMs: number): void {
  const steps = Math.ceil((range.end - range.start) / stepMs);
  if (steps <= rangeLimits.points) return;
  const fitting = Math.ceil((range.end - range.start) / rangeLimits.points / 1_000);
  throw new AppError(
    'telemetry.too_many_points',
    `${steps} points a series are more than ${rangeLimits.points}: take a step of at least ${fitting}s or a shorter range`,
    { status: 422, field: 'step', context: { steps, limit: rangeLimits.points } },
  );
}

/** Which rows answer a range: hours for [start, hourEnd), minutes for [hourEnd, minuteEnd), samples for [minuteEnd, end). *Units* milliseconds. */
export interface Sources {
  readonly hourEnd: number;
  readonly minuteEnd: number;
}

/**
 * Chooses the coarsest rows that give exactly the same numbers: a roll-up is read when the range starts on its bucket edge, the step is a multiple of it,
 * and only before the first hour that the roll-up job has not caught up with.
 *
 * *Units* `firstDirty` milliseconds, null when every touched hour is read.
 */
export function chooseSources(range: Instants, stepMs: number, firstDirty: number | null): Sources {
  const clean = firstDirty === null ? range.end : Math.max(range.start, Math.min(range.end, firstDirty));
  const upTo = (bucket: number): number =>
    stepMs % bucket === 0 && range.start % bucket === 0
      ? Math.max(range.start, Math.floor(clean / bucket) * bucket)
      : range.start;
  const hourEnd = upTo(hourMs);
  return { hourEnd, minuteEnd: Math.max(hourEnd, upTo(60_000)) };
}

/** True when roll-ups could answer at all and save more than they cost: of the newest hours many versions lie unmerged. */
export function mayUseRollUps(range: Instants, stepMs: number): boolean {
  return stepMs % 60_000 === 0 && range.start % 60_000 === 0 && range.end - range.start > 3 * hourMs;
}

/** The quantile that an aggregate asks for, null for the others. */
export function quantileLevel(aggregate: string): number | null {
  const match = /^p(\d{1,3}(?:\.\d{1,4})?)$/.exec(aggregate);
  return match === null ? null : Number(`${match[1]}e-2`);
}

/** Sums of the observations of a step. *Units* `count` is absolute, over the whole step. */
export interface StepSums {
  readonly count: number;
  readonly sum: number;
  readonly min: number | null;
  readonly max: number | null;
}

/** The value of one step of a distribution; null when the step has none (no observation to average). *Units* `rate` is observations per second. */
export function aggregateOf(aggregate: string, sums: StepSums, stepMs: number): number | null {
  switch (aggregate) {
    case 'avg':
      return sums.count === 0 ? null : sums.sum / sums.count;
    case 'sum':
      return sums.sum;
    case 'min':
      return sums.min;
    case 'max':
      return sums.max;
    case 'count':
    case 'increase':
      return sums.count;
    case 'rate':
      return sums.count / (stepMs / 1_000);
    default:
      return null;
  }
}
