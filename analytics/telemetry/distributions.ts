import { AppError } from 'streams/contract';
import type { z } from 'zod';
import { type Buckets, mergeBuckets, quantileOfBuckets } from './buckets.ts';
import {
  addBuckets,
  type ExponentialBuckets,
  quantileOfExponential,
  sideOf,
  subtractBuckets,
  toExplicit,
} from './exponential-buckets.ts';
import {
  distributionDeltasQuery,
  distributionSumsQuery,
  type ExponentialTuple,
  exponentialDeltasQuery,
  exponentialStepsQuery,
  histogramDeltasQuery,
  histogramEndsQuery,
  histogramStepsQuery,
  summaryLevelsQuery,
  summaryQuantilesQuery,
} from './metric-queries.ts';
import { type SelectedPart, toEngineSeries } from './metric-selection.ts';
import type { BoundedReader } from './query-gate.ts';
import { aggregateOf, type Instants, lookbackMs, quantileLevel } from './range-plan.ts';
import { variant } from './statement-variants.ts';

/** One value of an answer. *Shape* `slot` counts steps from the start of the range. */
export interface Cell {
  readonly group: number;
  readonly slot: number;
  readonly value: number | null;
}

interface Stretch {
  readonly tenant: number;
  readonly range: Instants;
  readonly stepMs: number;
}

const tables = {
  histogram: 'histograms',
  exponential_histogram: 'exponential_histograms',
  summary: 'summaries',
} as const;
type DistributionKind = keyof typeof tables;

/** Which kinds are distributions: they have a count, a sum and, but for what a summary does not report, quantiles. */
export const isDistribution = (kind: string): kind is DistributionKind => kind in tables;

/** What was observed in one step by one group. */
interface Observed {
  readonly group: number;
  readonly slot: number;
  count: number;
  sum: number;
  min: number | null;
  max: number | null;
  readonly explicit: Buckets[];
  exponential: ExponentialBuckets | null;
  /** Quantiles that summaries reported, averaged over their sources. */
  readonly reported: number[];
}

class Steps {
  readonly cells = new Map<string, Observed>();

  at(part: SelectedPart, slot: number): Observed {
    const key = `${part.group} ${slot}`;
    let cell = this.cells.get(key);
    if (cell === undefined) {
      const sums = { count: 0, sum: 0, min: null, max: null };
      cell = { group: part.group, slot, ...sums, explicit: [], exponential: null, reported: [] };
      this.cells.set(key, cell);
    }
    return cell;
  }
}

function engineParams(stretch: Stretch, parts: readonly SelectedPart[]) {
  const { series, groups, oneGroup } = toEngineSeries(parts, 'part');
  const { tenant, range, stepMs } = stretch;
  const params = { tenant, series, groups, start: range.start, end: range.end, step: stepMs };
  return { params, oneGroup, lookback: range.start - lookbackMs };
}

async function addSums(
  reader: BoundedReader,
  stretch: Stretch,
  parts: readonly SelectedPart[],
  steps: Steps,
): Promise<void> {
  const kind = parts[0]?.kind ?? '';
  if (!isDistribution(kind)) return;
  const { params, oneGroup, lookback } = engineParams(stretch, parts);
  if (parts[0]?.delta === true && kind !== 'summary') {
    const rows = await reader.query(variant(distributionDeltasQuery, { oneGroup }), { ...params, table: tables[kind] });
    for (const row of rows) {
      const part = parts[row.part];
      if (part === undefined) continue;
      const cell = steps.at(part, row.slot);
      cell.count += row.count;
      cell.sum += row.sum ?? Number.NaN;
      if (row.min !== null) cell.min = Math.min(cell.min ?? Number.POSITIVE_INFINITY, row.min);
      if (row.max !== null) cell.max = Math.max(cell.max ?? Number.NEGATIVE_INFINITY, row.max);
    }
    return;
  }
  const query = variant(distributionSumsQuery, { oneGroup });
  for (const row of await reader.query(query, { ...params, lookback, table: tables[kind] })) {
    const part = parts[row.part];
    if (part === undefined) continue;
    const cell = steps.at(part, row.slot);
    cell.count += row.count;
    cell.sum += row.sum ?? Number.NaN;
  }
}

async function addExplicit(
  reader: BoundedReader,
  stretch: Stretch,
  parts: readonly SelectedPart[],
  steps: Steps,
): Promise<void> {
  const { params, oneGroup, lookback } = engineParams(stretch, parts);
  const rows =
    parts[0]?.delta === true
      ? await reader.query(variant(histogramDeltasQuery, { oneGroup }), params)
      : await cumulativeRows(reader, { ...params, lookback }, oneGroup);
  for (const row of rows) {
    const part = parts[row.part];
    if (part !== undefined) steps.at(part, row.slot).explicit.push({ bounds: part.bounds, counts: row.counts });
  }
}

/** The short cut, unless a series was reset in the range: it says so itself. */
async function cumulativeRows(
  reader: BoundedReader,
  params: z.infer<typeof histogramEndsQuery.params>,
  oneGroup: boolean,
): Promise<{ part: number; slot: number; counts: number[] }[]> {
  const rows = await reader.query(variant(histogramEndsQuery, { oneGroup }), params);
  if (rows[0]?.broken !== 1) return rows.filter((row) => row.slot >= 0);
  return reader.query(variant(histogramStepsQuery, { oneGroup }), params);
}

function fromTuple(tuple: ExponentialTuple): ExponentialBuckets {
  const [scale, zero, zeroThreshold, positiveOffset, positive, negativeOffset, negative] = tuple;
  return {
    scale,
    zero,
    zeroThreshold,
    positive: sideOf(positiveOffset, positive),
    negative: sideOf(negativeOffset, negative),
  };
}

const sideFrom = ([indices, counts]: readonly [readonly number[], readonly number[]]) =>
  new Map(indices.map((index, i) => [index, counts[i] ?? 0]));

async function addExponential(
  reader: BoundedReader,
  stretch: Stretch,
  parts: readonly SelectedPart[],
  steps: Steps,
): Promise<void> {
  const { params, oneGroup, lookback } = engineParams(stretch, parts);
  const add = (part: SelectedPart | undefined, slot: number, buckets: ExponentialBuckets) => {
    if (part === undefined) return;
    const cell = steps.at(part, slot);
    cell.exponential = cell.exponential === null ? buckets : addBuckets(cell.exponential, buckets);
  };
  if (parts[0]?.delta === true) {
    for (const row of await reader.query(variant(exponentialDeltasQuery, { oneGroup }), params)) {
      const { scale, zero, threshold: zeroThreshold } = row;
      const sides = { positive: sideFrom(row.positive), negative: sideFrom(row.negative) };
      add(parts[row.part], row.slot, { scale, zero, zeroThreshold, ...sides });
    }
    return;
  }
  // A row a series and step: streamed, so that thousands of series do not stand in memory at once.
  for await (const row of reader.stream(variant(exponentialStepsQuery, { oneGroup }), { ...params, lookback })) {
    const later = fromTuple(row.later);
    add(parts[row.part], row.slot, row.whole === 1 ? later : subtractBuckets(later, fromTuple(row.earlier)));
  }
}

async function addReported(
  reader: BoundedReader,
  stretch: Stretch,
  parts: readonly SelectedPart[],
  level: number,
  steps: Steps,
): Promise<void> {
  const { params, oneGroup } = engineParams(stretch, parts);
  const rows = await reader.query(variant(summaryQuantilesQuery, { oneGroup }), { ...params, level });
  for (const row of rows) {
    const part = parts[row.part];
    if (part !== undefined && row.value !== null) steps.at(part, row.slot).reported.push(row.value);
  }
  if (rows.length > 0) return;
  const { tenant, series, start, end } = params;
  const [found] = await reader.query(summaryLevelsQuery, { tenant, series, start, end });
  const levels = found?.levels ?? [];
  if (levels.length === 0 || levels.some((reported) => Math.abs(reported - level) < 1e-9)) return;
  throw new AppError(
    'telemetry.aggregate_unsupported',
    `the summary reports no quantile ${level}; it reports ${levels.join(', ')}`,
    { status: 422, field: 'aggregate', context: { levels } },
  );
}

function quantileOf(level: number, cell: Observed): number | null {
  const { explicit, exponential, reported } = cell;
  if (reported.length > 0) return reported.reduce((sum, value) => sum + value, 0) / reported.length;
  if (exponential === null) return quantileOfBuckets(level, mergeBuckets(explicit));
  if (explicit.length === 0) return quantileOfExponential(level, exponential);
  return quantileOfBuckets(level, mergeBuckets([...explicit, toExplicit(exponential)]));
}

/** Refuses extremes that cumulative points and summaries do not have by step. *Errors* `telemetry.aggregate_unsupported` (422). */
function assertExtremes(aggregate: string, parts: readonly SelectedPart[]): void {
  if ((aggregate !== 'min' && aggregate !== 'max') || parts.some((part) => part.delta && part.kind !== 'summary'))
    return;
  throw new AppError(
    'telemetry.aggregate_unsupported',
    `"${aggregate}" of a cumulative distribution: its extremes are since the start of its process; take a quantile`,
    { status: 422, field: 'aggregate' },
  );
}

/**
 * The cells of histograms, exponential histograms and summaries: `count` and `increase` are observations, `sum` what they add up to, `avg` sum ÷ count, `rate` observations a second.
 *
 * *Errors* `telemetry.aggregate_unsupported` (422).
 */
export async function readDistributions(
  reader: BoundedReader,
  stretch: Stretch,
  aggregate: string,
  selected: readonly SelectedPart[],
): Promise<Cell[]> {
  const level = quantileLevel(aggregate);
  if (aggregate === 'last') {
    throw new AppError('telemetry.aggregate_unsupported', 'a distribution has no last value; take avg or a quantile', {
      status: 422,
      field: 'aggregate',
    });
  }
  assertExtremes(aggregate, selected);
  const steps = new Steps();
  const classes = new Map<string, SelectedPart[]>();
  for (const part of selected) {
    const key = `${part.kind} ${part.delta}`;
    classes.set(key, [...(classes.get(key) ?? []), part]);
  }
  for (const parts of classes.values()) {
    const kind = parts[0]?.kind;
    if (level === null) await addSums(reader, stretch, parts, steps);
    else if (kind === 'histogram') await addExplicit(reader, stretch, parts, steps);
    else if (kind === 'exponential_histogram') await addExponential(reader, stretch, parts, steps);
    else await addReported(reader, stretch, parts, level, steps);
  }
  return [...steps.cells.values()].map((cell) => ({
    group: cell.group,
    slot: cell.slot,
    value: level === null ? aggregateOf(aggregate, cell, stretch.stepMs) : quantileOf(level, cell),
  }));
}
