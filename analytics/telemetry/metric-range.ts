import { AppError, type MetricRange, type MetricRangeQuery, type RangeAggregate } from 'streams/contract';
import type { Store } from 'streams/store';
import type { z } from 'zod';
import { type Buckets, mergeBuckets, quantileOfBuckets } from './buckets.ts';
import {
  rangeHistogramsQuery,
  rangeNumbersQuery,
  rangeQuantilesQuery,
  rollUpWatermarkQuery,
  seriesGroupsQuery,
} from './queries.ts';
import {
  aggregateOf,
  assertSteps,
  chooseSources,
  type Instants,
  lookbackMs,
  mayUseRollUps,
  parseInstants,
  parseStep,
  quantileLevel,
  rangeLimits,
} from './range-plan.ts';

type Summable = Exclude<RangeAggregate, 'p50' | 'p95' | 'p99'>;
interface Cell {
  readonly grp: string;
  readonly slot: number;
  readonly value: number | null;
}
interface Request {
  readonly tenant: number;
  readonly metric: string;
  readonly groupBy: string;
  readonly range: Instants;
  readonly stepMs: number;
  readonly aggregate: RangeAggregate;
}
interface Shape {
  readonly kind: string;
  readonly temporality: string;
  readonly monotonic: boolean;
  readonly unit: string;
}

/** What the engine is asked with for one request. */
function baseParams(request: Request) {
  const { tenant, metric, groupBy, range, stepMs } = request;
  return { tenant, metric, groupBy, start: range.start, end: range.end, step: stepMs };
}

/** Refuses what an aggregate cannot mean for a metric. *Errors* `telemetry.aggregate_unsupported` (422). */
function assertAggregate(request: Request, shapes: readonly Shape[]): void {
  const refuse = (hint: string): never => {
    throw new AppError('telemetry.aggregate_unsupported', `"${request.aggregate}" of "${request.metric}": ${hint}`, {
      status: 422,
      field: 'aggregate',
    });
  };
  if (shapes.some((shape) => shape.kind === 'summary' || shape.kind === 'exponential_histogram')) {
    refuse('summaries and exponential histograms are stored and counted, not aggregated yet');
  }
  const counting = request.aggregate === 'increase' || request.aggregate === 'rate';
  const numbers = shapes.filter((shape) => shape.kind === 'gauge' || shape.kind === 'sum');
  if (counting && numbers.some((shape) => !shape.monotonic && shape.temporality !== 'delta')) {
    refuse('a gauge or a sum that may fall has no increase; take avg, min or max');
  }
}

async function numberCells(store: Store, request: Request): Promise<Cell[]> {
  const { range, stepMs, aggregate } = request;
  const base = baseParams(request);
  const level = quantileLevel(aggregate);
  if (level !== null) {
    const index = level === 0.5 ? 0 : level === 0.95 ? 1 : 2;
    const rows = await store.query(rangeQuantilesQuery, base);
    return rows.map((row) => ({ grp: row.grp, slot: row.slot, value: row.quantiles[index] ?? null }));
  }
  let sources = { hourEnd: range.start, minuteEnd: range.start };
  if (mayUseRollUps(range, stepMs)) {
    const [watermark] = await store.query(rollUpWatermarkQuery, {
      tenant: request.tenant,
      start: Math.floor(range.start / 3_600_000) * 3_600_000,
      end: range.end,
    });
    sources = chooseSources(range, stepMs, watermark?.firstDirty ?? range.start);
  }
  const counting = aggregate === 'increase' || aggregate === 'rate';
  const lookback = counting ? range.start - lookbackMs : range.start;
  const rows = await store.query(rangeNumbersQuery, { ...base, ...sources, lookback });
  return rows.map((row) => ({
    grp: row.grp,
    slot: row.slot,
    value: aggregateOf(
      aggregate as Summable,
      {
        count: row.count,
        sum: row.sum ?? Number.NaN,
        min: row.min,
        max: row.max,
        increase: row.increase ?? Number.NaN,
      },
      stepMs,
    ),
  }));
}

interface Distribution {
  readonly grp: string;
  readonly slot: number;
  readonly parts: Buckets[];
  count: number;
  sum: number;
  min: number | null;
  max: number | null;
}

async function histogramCells(store: Store, request: Request): Promise<Cell[]> {
  const rows = await store.query(rangeHistogramsQuery, {
    ...baseParams(request),
    lookback: request.range.start - lookbackMs,
  });
  const cells = new Map<string, Distribution>();
  for (const row of rows) {
    const key = `${row.slot} ${row.grp}`;
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { grp: row.grp, slot: row.slot, parts: [], count: 0, sum: 0, min: null, max: null };
      cells.set(key, cell);
    }
    cell.parts.push({ bounds: row.bounds, counts: row.counts });
    cell.count += row.count;
    cell.sum += row.sum ?? Number.NaN;
    if (row.extremes > 0) {
      cell.min = Math.min(cell.min ?? Number.POSITIVE_INFINITY, row.min ?? Number.POSITIVE_INFINITY);
      cell.max = Math.max(cell.max ?? Number.NEGATIVE_INFINITY, row.max ?? Number.NEGATIVE_INFINITY);
    }
  }
  const level = quantileLevel(request.aggregate);
  return [...cells.values()].map((cell) => ({
    grp: cell.grp,
    slot: cell.slot,
    value:
      level === null
        ? aggregateOf(request.aggregate as Summable, { ...cell, increase: cell.count }, request.stepMs)
        : quantileOfBuckets(level, mergeBuckets(cell.parts)),
  }));
}

function toSeries(request: Request, cells: readonly Cell[]): MetricRange['series'] {
  const groups = new Map<string, [number, number][]>();
  for (const cell of [...cells].sort((a, b) => a.slot - b.slot)) {
    if (cell.value === null || !Number.isFinite(cell.value)) continue;
    const points = groups.get(cell.grp) ?? [];
    points.push([request.range.start + cell.slot * request.stepMs, cell.value]);
    groups.set(cell.grp, points);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, points]) => ({ attributes: request.groupBy === '' ? {} : { [request.groupBy]: group }, points }));
}

/**
 * A metric of a tenant in steps. Steps count from `start`; a point stands at the start of its step; a step without data is absent; an unknown metric has no series.
 *
 * *Errors* `telemetry.range_invalid`, `telemetry.step_invalid` (400), `telemetry.too_many_points`, `telemetry.too_many_series`, `telemetry.aggregate_unsupported` (422).
 */
export async function readMetricRange(
  store: Store,
  tenantNumber: number,
  query: z.infer<typeof MetricRangeQuery>,
): Promise<MetricRange> {
  const request: Request = {
    tenant: tenantNumber,
    metric: query.metric,
    groupBy: query.groupBy ?? '',
    range: parseInstants(query),
    stepMs: parseStep(query.step),
    aggregate: query.aggregate,
  };
  assertSteps(request.range, request.stepMs);
  const shapes = await store.query(seriesGroupsQuery, {
    tenant: request.tenant,
    metric: request.metric,
    groupBy: request.groupBy,
  });
  const first = shapes[0];
  if (first === undefined) return { metric: request.metric, unit: '', series: [] };
  assertAggregate(request, shapes);
  const groups = shapes.reduce((most, shape) => Math.max(most, shape.groups), 0);
  if (groups > rangeLimits.series) {
    throw new AppError(
      'telemetry.too_many_series',
      `"${request.groupBy}" has ${groups} values, more than ${rangeLimits.series}: group by an attribute with fewer`,
      { status: 422, field: 'groupBy', context: { groups, limit: rangeLimits.series } },
    );
  }
  const histogram = shapes.some((shape) => shape.kind === 'histogram');
  const cells = histogram ? await histogramCells(store, request) : await numberCells(store, request);
  const unit = request.aggregate === 'rate' ? `${histogram ? '1' : first.unit}/s` : first.unit;
  return { metric: request.metric, unit, series: toSeries(request, cells) };
}
