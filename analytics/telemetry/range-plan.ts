import { AppError, type RangeAggregate } from 'streams/contract';

/** Bounds of one answer. *Source* the design's limits: as many points as a Prometheus range query gives a series, and a chart's worth of series. */
export const rangeLimits = { points: 11_000, series: 1_000 } as const;

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

/** Reads a half-open range of ISO instants. *Errors* `telemetry.range_invalid` naming `end`. */
export function parseInstants(range: { readonly start: string; readonly end: string }): Instants {
  const start = Date.parse(range.start);
  const end = Date.parse(range.end);
  if (!(start < end)) {
    throw new AppError('telemetry.range_invalid', 'start must be before end', { status: 400, field: 'end' });
  }
  return { start, end };
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
 * *Units* `firstDirty` milliseconds, 0 when every touched hour is read.
 */
export function chooseSources(range: Instants, stepMs: number, firstDirty: number): Sources {
  const clean = firstDirty === 0 ? range.end : Math.max(range.start, Math.min(range.end, firstDirty));
  const upTo = (bucket: number): number =>
    stepMs % bucket === 0 && range.start % bucket === 0
      ? Math.max(range.start, Math.floor(clean / bucket) * bucket)
      : range.start;
  const hourEnd = upTo(unitMs['h'] ?? 0);
  const minuteEnd = Math.max(hourEnd, upTo(unitMs['m'] ?? 0));
  return { hourEnd, minuteEnd };
}

/** True when roll-ups could answer at all, so that the watermark is worth reading. */
export function mayUseRollUps(range: Instants, stepMs: number): boolean {
  return stepMs % 60_000 === 0 && range.start % 60_000 === 0 && range.end - range.start > 3 * 3_600_000;
}

const quantileOf = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

/** The quantile that an aggregate asks for, null for the others. */
export function quantileLevel(aggregate: RangeAggregate): number | null {
  return aggregate === 'p50' || aggregate === 'p95' || aggregate === 'p99' ? quantileOf[aggregate] : null;
}

/** Sums of a step as the queries return them. *Units* `increase` is absolute, over the whole step. */
export interface StepSums {
  readonly count: number;
  readonly sum: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly increase: number;
}

/** The value of one step; null when the step has none (no observation to average). *Units* `rate` is per second. */
export function aggregateOf(
  aggregate: Exclude<RangeAggregate, 'p50' | 'p95' | 'p99'>,
  sums: StepSums,
  stepMs: number,
): number | null {
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
      return sums.count;
    case 'increase':
      return sums.increase;
    case 'rate':
      return sums.increase / (stepMs / 1_000);
  }
}
