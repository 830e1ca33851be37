import { AppError } from 'streams/contract';
import type { AttributeConditions } from './attribute-filters.ts';
import { type SelectionRow, selectionQuery } from './metric-queries.ts';
import type { BoundedReader } from './query-gate.ts';
import { rangeLimits } from './range-plan.ts';

/** What a read of a metric asks for, before any time. */
export interface SelectionRequest {
  readonly tenant: number;
  readonly metric: string;
  readonly kind: string;
  readonly conditions: AttributeConditions;
  readonly groupBy: readonly string[];
  /** Every series is a group of its own. */
  readonly every: boolean;
}

/** Series that share kind, temporality, monotonicity, unit, bounds and group. */
export interface SelectedPart {
  readonly kind: string;
  readonly delta: boolean;
  readonly monotonic: boolean;
  readonly unit: string;
  readonly bounds: readonly number[];
  /** Index into the selection's groups. */
  readonly group: number;
  readonly count: number;
  /** Comma-separated 64-bit ids. */
  readonly ids: string;
}

/** The series of a metric by group. */
export interface Selection {
  readonly parts: readonly SelectedPart[];
  /** Attributes of each group as a JSON object, ready to be sent. */
  readonly groups: readonly string[];
  readonly seriesCount: number;
}

/** Series of all remembered selections together: about 25 bytes each. */
const rememberedSeriesMax = 500_000;
/** How long a new series may stay unseen by reads of a metric that was just read. */
const rememberMs = 2_000;

function attributesOf(request: SelectionRequest, label: string): string {
  if (request.every) return label;
  const values: unknown = JSON.parse(label);
  const list = Array.isArray(values) ? values : [];
  return JSON.stringify(Object.fromEntries(request.groupBy.map((name, i) => [name, String(list[i] ?? '')])));
}

function toSelection(request: SelectionRequest, rows: readonly SelectionRow[]): Selection {
  const groups = new Map<string, number>();
  const parts = rows.map((row): SelectedPart => {
    const group = groups.get(row.label) ?? groups.size;
    groups.set(row.label, group);
    return {
      kind: row.kind,
      // A histogram without temporality (Prometheus' gauge histogram) does not accumulate: each point stands for itself.
      delta: row.temporality === 'delta' || (row.temporality === '' && row.kind.endsWith('histogram')),
      monotonic: row.monotonic,
      unit: row.unit,
      bounds: row.bounds,
      group,
      count: row.count,
      ids: row.ids,
    };
  });
  return {
    parts,
    groups: [...groups.keys()].map((label) => attributesOf(request, label)),
    seriesCount: parts.reduce((sum, part) => sum + part.count, 0),
  };
}

async function readSelection(reader: BoundedReader, request: SelectionRequest): Promise<Selection> {
  const rows = await reader.query(selectionQuery, {
    tenant: request.tenant,
    metric: request.metric,
    kind: request.kind,
    ...request.conditions,
    every: request.every ? 1 : 0,
    groupBy: [...request.groupBy],
    limit: rangeLimits.groups + 1,
  });
  if (rows.length > rangeLimits.groups) {
    throw new AppError(
      'telemetry.too_many_series',
      `"${request.metric}" falls into more than ${rangeLimits.groups} groups: group by fewer attributes, or filter`,
      { status: 422, field: 'groupBy', context: { limit: rangeLimits.groups } },
    );
  }
  return toSelection(request, rows);
}

/** Finds the series of a metric, remembering them for two seconds, so that charts of one metric do not look them up each time. */
export interface SelectionReader {
  /** *Errors* `telemetry.too_many_series` (422). */
  select(reader: BoundedReader, request: SelectionRequest): Promise<Selection>;
}

export function createSelectionReader(elapsedMs: () => number): SelectionReader {
  const remembered = new Map<string, { readonly readAt: number; readonly selection: Selection }>();
  const refreshing = new Set<string>();
  let series = 0;
  const forget = (key: string): void => {
    series -= remembered.get(key)?.selection.seriesCount ?? 0;
    remembered.delete(key);
  };
  async function look(key: string, reader: BoundedReader, request: SelectionRequest): Promise<Selection> {
    const readAt = elapsedMs();
    const selection = await readSelection(reader, request);
    forget(key);
    // An empty answer is not kept: whoever looks for a metric that is just beginning sees it with its first point.
    if (selection.seriesCount === 0 || selection.seriesCount > rememberedSeriesMax / 4) return selection;
    remembered.set(key, { readAt, selection });
    series += selection.seriesCount;
    for (const oldest of remembered.keys()) {
      if (series <= rememberedSeriesMax && remembered.size <= 2_000) break;
      forget(oldest);
    }
    return selection;
  }
  /** Looks again before the time is up, so that whoever reads steadily never waits; a failure shows at the next read that has to look itself. */
  function refresh(key: string, reader: BoundedReader, request: SelectionRequest): void {
    // One at a time: behind the back of readers no place among the reads is taken.
    if (refreshing.size > 0) return;
    refreshing.add(key);
    look(key, reader, request)
      .catch(() => undefined)
      .finally(() => refreshing.delete(key));
  }
  return {
    async select(reader, request) {
      const { names, operators, values } = request.conditions;
      const key = JSON.stringify([
        ...[request.tenant, request.metric, request.kind, request.every, request.groupBy],
        ...[names, operators, values],
      ]);
      const known = remembered.get(key);
      const age = known === undefined ? Number.POSITIVE_INFINITY : elapsedMs() - known.readAt;
      if (known === undefined || age > rememberMs) return look(key, reader, request);
      if (age > rememberMs / 2) refresh(key, reader, request);
      return known.selection;
    },
  };
}

/** The series of some parts as the queries take them: `groups[i]` is the group of `series[i]`, or the part when `by` says so. */
export function toEngineSeries(
  parts: readonly SelectedPart[],
  by: 'group' | 'part',
): { series: string; groups: string; oneGroup: boolean; deltas: string } {
  const groupOf = (part: SelectedPart, index: number) => (by === 'group' ? part.group : index);
  const first = parts[0];
  const oneGroup = parts.every((part, i) => groupOf(part, i) === 0) || first === undefined;
  const deltas = parts.filter((part) => part.delta).map((part) => part.ids);
  return {
    series: `[${parts.map((part) => part.ids).join(',')}]`,
    groups: oneGroup
      ? '[]'
      : `[${parts.map((part, i) => `${groupOf(part, i)},`.repeat(idsOf(part)).slice(0, -1)).join(',')}]`,
    oneGroup,
    deltas: `[${deltas.join(',')}]`,
  };
}

/** How many ids a part's text holds. */
function idsOf(part: SelectedPart): number {
  return part.ids === '' ? 0 : part.ids.split(',').length;
}

/** The metric prefixes of the ids of some parts: they lead the key of the roll-ups. */
export function prefixesOf(parts: readonly SelectedPart[]): string {
  const prefixes = new Set(parts.flatMap((part) => part.ids.split(',')).map((id) => BigInt(id) >> 48n));
  return `[${[...prefixes].join(',')}]`;
}
