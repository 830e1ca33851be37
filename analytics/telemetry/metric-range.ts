import { AppError, type MetricRange, type MetricRangeQuery } from 'streams/contract';
import type { z } from 'zod';
import { parseFilters, parseGroupBy } from './attribute-filters.ts';
import { type Cell, isDistribution, readDistributions } from './distributions.ts';
import {
  rangeIncreaseQuery,
  rangeLevelsQuery,
  rangeQuantilesQuery,
  rangeRateGridQuery,
  rangeRolledIncreaseQuery,
  rangeRolledLevelsQuery,
} from './metric-queries.ts';
import {
  prefixesOf,
  type SelectedPart,
  type Selection,
  type SelectionReader,
  type SelectionRequest,
  toEngineSeries,
} from './metric-selection.ts';
import type { BoundedReader } from './query-gate.ts';
import {
  assertSteps,
  chooseSources,
  defaultStepMs,
  type Instants,
  lookbackMs,
  mayUseRollUps,
  parseInstants,
  parseStep,
  quantileLevel,
  rangeLimits,
  type Sources,
} from './range-plan.ts';
import type { RollUpWatermark } from './roll-up-watermark.ts';
import { variant } from './statement-variants.ts';

type RangeQuery = z.output<typeof MetricRangeQuery>;
export type Resolution = NonNullable<MetricRange['resolution']>;

/** One series of an answer, ready to be sent: `points` is the inside of a JSON array of `[ms, value]`. */
export interface SeriesText {
  readonly attributes: string;
  readonly points: string;
}

/** An answer whose series are text already. */
export interface RangeText {
  readonly metric: string;
  readonly unit: string;
  readonly resolution: Resolution;
  readonly partial: boolean;
  readonly series: readonly SeriesText[];
}

/** What a range is read with. */
export interface RangeDependencies {
  readonly reader: BoundedReader;
  readonly selections: SelectionReader;
  readonly watermark: RollUpWatermark;
  readonly nowMs: number;
}

interface Plan extends SelectionRequest {
  readonly range: Instants;
  readonly stepMs: number;
  readonly aggregate: string;
  readonly windowMs: number | null;
  readonly limit: number | null;
}

function refuseAggregate(plan: Plan, hint: string): never {
  throw new AppError('telemetry.aggregate_unsupported', `"${plan.aggregate}" of "${plan.metric}": ${hint}`, {
    status: 422,
    field: 'aggregate',
  });
}

/** *Errors* `telemetry.range_invalid`, `telemetry.step_invalid`, `telemetry.filter_invalid`, `telemetry.group_invalid` (400), `telemetry.too_many_points` (422). */
function planOf(tenant: number, query: RangeQuery, nowMs: number): Plan {
  const range = parseInstants(query, nowMs);
  const stepMs = query.step === undefined ? defaultStepMs(range) : parseStep(query.step);
  assertSteps(range, stepMs);
  const groupBy = parseGroupBy(query.groupBy);
  const plan: Plan = {
    tenant,
    metric: query.metric,
    kind: query.kind ?? '',
    conditions: parseFilters(query.filter),
    groupBy: groupBy.names,
    every: groupBy.every,
    range,
    stepMs,
    aggregate: query.aggregate,
    windowMs: query.window === undefined ? null : parseStep(query.window),
    limit: query.limit ?? null,
  };
  if (plan.windowMs !== null && plan.aggregate !== 'rate') {
    throw new AppError('telemetry.window_invalid', 'a window goes with the aggregate rate', {
      status: 400,
      field: 'window',
    });
  }
  return plan;
}

/** Refuses more groups or cells than an answer holds. *Errors* `telemetry.too_many_series`, `telemetry.too_many_points` (422). */
function assertSize(plan: Plan, groups: number): void {
  if (groups > rangeLimits.series && plan.limit === null) {
    throw new AppError(
      'telemetry.too_many_series',
      `"${plan.every ? '*' : plan.groupBy.join(',')}" has ${groups} values, more than ${rangeLimits.series}: group by an attribute with fewer, filter, or take the first ones with limit`,
      { status: 422, field: 'groupBy', context: { groups, limit: rangeLimits.series } },
    );
  }
  const steps = Math.ceil((plan.range.end - plan.range.start) / plan.stepMs);
  if (groups * steps > rangeLimits.cells) {
    throw new AppError(
      'telemetry.too_many_points',
      `${groups} groups of ${steps} points are more than ${rangeLimits.cells}: take a larger step, a shorter range or fewer groups`,
      { status: 422, field: 'step', context: { groups, steps, limit: rangeLimits.cells } },
    );
  }
}

const levelExpressions: Readonly<Record<string, { raw: string; rolled: string; harmless: boolean }>> = {
  avg: { raw: 'sum(value) / count()', rolled: 'sum(total) / sum(n)', harmless: false },
  sum: { raw: 'sum(value)', rolled: 'sum(total)', harmless: false },
  count: { raw: 'toFloat64(count())', rolled: 'toFloat64(sum(n))', harmless: false },
  min: { raw: 'min(value)', rolled: 'min(lowest)', harmless: true },
  max: { raw: 'max(value)', rolled: 'max(highest)', harmless: true },
  last: { raw: 'argMax(value, (time, series))', rolled: 'argMax(final, (ms, series))', harmless: true },
};

interface NumberRows {
  readonly rows: readonly { grp: number; points: string }[];
  readonly resolution: Resolution;
}

/** Which rows answer and how that is called. */
interface SourceChoice extends Sources {
  readonly names: readonly string[];
  readonly resolution: Resolution;
}

function namedSources(range: Instants, sources: Sources): SourceChoice {
  const { hourEnd, minuteEnd } = sources;
  const names = [
    ...(minuteEnd < range.end ? ['samples'] : []),
    ...(hourEnd < minuteEnd ? ['minutes'] : []),
    ...(range.start < hourEnd ? ['hours'] : []),
  ];
  const only = { samples: 'raw', minutes: 'minute', hours: 'hour' } as const;
  const resolution = names.length === 1 ? only[names[0] as keyof typeof only] : 'mixed';
  return { ...sources, names, resolution };
}

/** Gauges and sums. */
async function readNumbers(deps: RangeDependencies, plan: Plan, parts: readonly SelectedPart[]): Promise<NumberRows> {
  const { reader } = deps;
  const { range, stepMs, aggregate } = plan;
  const { series, groups, oneGroup, deltas } = toEngineSeries(parts, 'group');
  const limit = plan.limit ?? rangeLimits.series;
  const base = { tenant: plan.tenant, series, groups, start: range.start, end: range.end, step: stepMs, limit };
  const level = quantileLevel(aggregate);
  if (level !== null) {
    const rows = await reader.query(variant(rangeQuantilesQuery, { oneGroup }), { ...base, level });
    return { rows, resolution: 'raw' };
  }
  const counting = aggregate === 'increase' || aggregate === 'rate';
  if (counting && parts.some((part) => !part.monotonic && !part.delta)) {
    refuseAggregate(plan, 'a gauge or a sum that may fall has no increase; take avg, min, max or last');
  }
  if (plan.windowMs !== null) return { rows: await readRateGrid(reader, plan, parts, base), resolution: 'raw' };
  const sources = await chosenSources(deps, plan);
  const rolled = { ...base, prefixes: prefixesOf(parts), hourEnd: sources.hourEnd, minuteEnd: sources.minuteEnd };
  const { resolution } = sources;
  if (counting) {
    const counted = {
      deltas,
      lookback: range.start - lookbackMs,
      scale: aggregate === 'rate' ? 1_000 / stepMs : 1,
    };
    if (resolution === 'raw') {
      const query = variant(rangeIncreaseQuery, { oneGroup, duplicatesHarmless: parts.every((part) => !part.delta) });
      return { rows: await reader.query(query, { ...base, ...counted }), resolution };
    }
    // Samples are always read for the look-back.
    const query = variant(rangeRolledIncreaseQuery, { oneGroup, sources: ['samples', ...sources.names] });
    return { rows: await reader.query(query, { ...rolled, ...counted }), resolution };
  }
  const expression = levelExpressions[aggregate];
  if (expression === undefined) refuseAggregate(plan, 'not an aggregate of numbers');
  if (resolution === 'raw') {
    const variation = { oneGroup, duplicatesHarmless: expression.harmless, aggregate: expression.raw };
    return { rows: await reader.query(variant(rangeLevelsQuery, variation), base), resolution };
  }
  const variation = { oneGroup, aggregate: expression.rolled, sources: sources.names };
  return { rows: await reader.query(variant(rangeRolledLevelsQuery, variation), rolled), resolution };
}

async function chosenSources(deps: RangeDependencies, plan: Plan): Promise<SourceChoice> {
  const { range, stepMs } = plan;
  const samples = { hourEnd: range.start, minuteEnd: range.start };
  if (!mayUseRollUps(range, stepMs)) return namedSources(range, samples);
  const firstDirty = await deps.watermark.firstDirty(deps.reader, plan.tenant, range);
  return namedSources(range, chooseSources(range, stepMs, firstDirty));
}

async function readRateGrid(
  reader: BoundedReader,
  plan: Plan,
  parts: readonly SelectedPart[],
  base: Parameters<typeof rangeLevelsQuery.params.parse>[0] & object,
): Promise<NumberRows['rows']> {
  const { range, stepMs } = plan;
  const windowMs = plan.windowMs ?? stepMs;
  if (parts.some((part) => part.delta)) refuseAggregate(plan, 'delta points have no window; leave it out');
  const steps = Math.ceil((range.end - range.start) / stepMs);
  return reader.query(variant(rangeRateGridQuery, { oneGroup: toEngineSeries(parts, 'group').oneGroup }), {
    ...(base as {
      tenant: number;
      series: string;
      groups: string;
      start: number;
      end: number;
      step: number;
      limit: number;
    }),
    lookback: range.start + stepMs - windowMs,
    last: range.start + steps * stepMs - 1,
    stepSeconds: stepMs / 1_000,
    windowSeconds: windowMs / 1_000,
  });
}

/** Cells as text, the groups with the highest mean first when there is a limit. */
function fromCells(plan: Plan, cells: readonly Cell[]): { rows: { grp: number; points: string }[] } {
  const groups = new Map<number, { at: number; value: number }[]>();
  for (const { group, slot, value } of cells) {
    if (value === null || !Number.isFinite(value)) continue;
    const points = groups.get(group) ?? [];
    points.push({ at: plan.range.start + slot * plan.stepMs, value });
    groups.set(group, points);
  }
  const mean = (points: readonly { value: number }[]) => points.reduce((sum, p) => sum + p.value, 0) / points.length;
  const ranked = [...groups].sort(([a, x], [b, y]) => mean(y) - mean(x) || a - b);
  return {
    rows: ranked.slice(0, plan.limit ?? ranked.length).map(([grp, points]) => ({
      grp,
      points: points
        .sort((a, b) => a.at - b.at)
        .map(({ at, value }) => `[${at},${value}]`)
        .join(','),
    })),
  };
}

function unitOf(plan: Plan, part: SelectedPart): string {
  const distribution = isDistribution(part.kind);
  if (plan.aggregate === 'rate') return `${distribution ? '1' : part.unit}/s`;
  return part.unit;
}

/** *Errors* `telemetry.kinds_mixed` (422): one name, numbers and distributions. */
function assertOneFamily(plan: Plan, selection: Selection): void {
  const kinds = [...new Set(selection.parts.map((part) => part.kind))].sort();
  if (new Set(kinds.map(isDistribution)).size < 2) return;
  throw new AppError('telemetry.kinds_mixed', `"${plan.metric}" is ${kinds.join(' and ')}: choose with kind=`, {
    status: 422,
    field: 'kind',
    context: { kinds },
  });
}

/**
 * A metric of a tenant in steps. Steps count from `start`; a point stands at the start of its step; a step without data is absent; an unknown metric has no series.
 *
 * *Shape* groups in the order of their attributes, or by falling mean when `limit` is given.
 * *Errors* `telemetry.range_invalid`, `telemetry.step_invalid`, `telemetry.filter_invalid`, `telemetry.group_invalid`, `telemetry.window_invalid` (400), `telemetry.too_many_points`,
 * `telemetry.too_many_series`, `telemetry.aggregate_unsupported`, `telemetry.kinds_mixed`, `telemetry.query_too_expensive` (422).
 */
export async function readRangeText(deps: RangeDependencies, tenant: number, query: RangeQuery): Promise<RangeText> {
  const plan = planOf(tenant, query, deps.nowMs);
  const selection = await deps.selections.select(deps.reader, plan);
  const first = selection.parts[0];
  if (first === undefined) return { metric: plan.metric, unit: '', resolution: 'raw', partial: false, series: [] };
  assertOneFamily(plan, selection);
  assertSize(plan, selection.groups.length);
  const { rows, resolution } = isDistribution(first.kind)
    ? {
        ...fromCells(plan, await readDistributions(deps.reader, plan, plan.aggregate, selection.parts)),
        resolution: 'raw' as const,
      }
    : await readNumbers(deps, plan, selection.parts);
  const ordered = plan.limit === null ? [...rows].sort((a, b) => a.grp - b.grp) : rows;
  return {
    metric: plan.metric,
    unit: unitOf(plan, first),
    resolution,
    partial: plan.limit !== null && selection.groups.length > plan.limit,
    series: ordered.map((row) => ({ attributes: selection.groups[row.grp] ?? '{}', points: row.points })),
  };
}

/** The head of an answer, without its closing brace. */
function headOf(answer: RangeText): string {
  const { metric, unit, resolution, partial } = answer;
  return JSON.stringify({ metric, unit, resolution, partial }).slice(0, -1);
}

const seriesOf = (series: SeriesText) => `{"attributes":${series.attributes},"points":[${series.points}]}`;

/** One JSON document. */
export const toRangeJson = (answer: RangeText): string =>
  `${headOf(answer)},"series":[${answer.series.map(seriesOf).join(',')}]}`;

/** A line with what the answer is, then a line a series. */
export function* toRangeLines(answer: RangeText): Generator<string> {
  yield `${headOf(answer)}}\n`;
  for (const series of answer.series) yield `${seriesOf(series)}\n`;
}
