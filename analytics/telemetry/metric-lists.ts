import { AppError } from 'streams/contract';
import type { z } from 'zod';
import { parseFilters } from './attribute-filters.ts';
import { attributeNamesQuery, attributeValuesQuery, latestQuery, metricsQuery, pointsQuery } from './metric-queries.ts';
import { type SelectionReader, type SelectionRequest, toEngineSeries } from './metric-selection.ts';
import { type BoundedReader, isResultTooLarge } from './query-gate.ts';
import type { Instants } from './range-plan.ts';
import { fromCursor, toCursor } from './records.ts';
import { variant, withResultBytes } from './statement-variants.ts';

/** One page of a list. */
export interface Page {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const any = /^/s;

/** Cuts the extra row that says whether there is a next page. */
function pageOfRows<R, I>(
  rows: readonly R[],
  page: Page,
  item: (row: R) => I,
  position: (row: R) => readonly string[],
) {
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  const nextCursor = rows.length > page.limit && last !== undefined ? toCursor(position(last)) : null;
  return { items: shown.map(item), nextCursor };
}

/** The metrics of a tenant by name. *Errors* `telemetry.cursor_invalid`. */
export async function readMetrics(
  reader: BoundedReader,
  tenant: number,
  query: Page & { readonly prefix?: string | undefined; readonly search?: string | undefined },
) {
  const [afterName = '', afterKind = '', afterUnit = ''] =
    query.cursor === undefined ? [] : fromCursor(query.cursor, [any, any, any]);
  const { prefix = '', search = '', limit } = query;
  const after = { afterName, afterKind, afterUnit };
  const rows = await reader.query(metricsQuery, { tenant, prefix, search, ...after, limit: limit + 1 });
  return pageOfRows(
    rows,
    query,
    (row) => row,
    (row) => [row.name, row.kind, row.unit],
  );
}

interface AttributeList extends Page {
  readonly metric?: string | undefined;
  readonly search?: string | undefined;
  readonly filter?: readonly string[] | undefined;
}

/** Attribute names of a metric, or of all. *Errors* `telemetry.cursor_invalid`, `telemetry.filter_invalid` (400). */
export async function readAttributeNames(reader: BoundedReader, tenant: number, query: AttributeList) {
  const [after = ''] = query.cursor === undefined ? [] : fromCursor(query.cursor, [any]);
  const { metric = '', search = '', limit } = query;
  const params = { tenant, metric, search, after, ...parseFilters(query.filter), limit: limit + 1 };
  const rows = await reader.query(attributeNamesQuery, params);
  return pageOfRows(
    rows,
    query,
    (row) => row,
    (row) => [row.name],
  );
}

/** Values of one attribute. *Errors* as {@link readAttributeNames}. */
export async function readAttributeValues(
  reader: BoundedReader,
  tenant: number,
  query: AttributeList & { readonly attribute: string },
) {
  const [after] = query.cursor === undefined ? [] : fromCursor(query.cursor, [any]);
  const { metric = '', search = '', attribute, limit } = query;
  const rows = await reader.query(attributeValuesQuery, {
    ...{ tenant, metric, attribute, search, first: after === undefined ? 1 : 0, after: after ?? '' },
    ...parseFilters(query.filter),
    limit: limit + 1,
  });
  return pageOfRows(
    rows,
    query,
    (row) => row,
    (row) => [row.value],
  );
}

/** The newest point of each series. *Errors* as {@link readAttributeNames}. */
export async function readLatest(
  reader: BoundedReader,
  tenant: number,
  range: Instants,
  query: Page & { readonly metric?: string | undefined; readonly filter?: readonly string[] | undefined },
) {
  const [afterMetric = '', afterSeries = '0'] =
    query.cursor === undefined ? [] : fromCursor(query.cursor, [any, /^\d{1,20}$/]);
  const after = { afterMetric, afterSeries };
  const params = { tenant, metric: query.metric ?? '', ...parseFilters(query.filter), ...range, ...after };
  const rows = await reader.query(latestQuery, { ...params, limit: query.limit + 1 });
  const { items, nextCursor } = pageOfRows(
    rows,
    query,
    (row) =>
      `{"metric":${JSON.stringify(row.metric)},"unit":${JSON.stringify(row.unit)},"attributes":${row.label},"time":${row.at},"value":${row.value}}`,
    (row) => [row.metric, row.id],
  );
  return { items, nextCursor };
}

/** Points that one JSON answer holds; more come as lines. */
export const pointsMax = 100_000;
/** What the engine gives before it stops: {@link pointsMax} rows of one point each are less, at 42 characters a point and 36 bytes beside it. */
const pointsBytesMax = 12 * 1024 * 1024;

/** A row of points: up to an hour of one series. */
type PointsRow = z.infer<typeof pointsQuery.row>;

/** The statement of some points; null when there is no such series. *Errors* `telemetry.aggregate_unsupported`, `telemetry.kinds_mixed` (422): histograms and summaries have no single values. */
async function pointsStatement(
  reader: BoundedReader,
  selections: SelectionReader,
  request: SelectionRequest,
  range: Instants,
) {
  const selection = await selections.select(reader, { ...request, every: true });
  const parts = selection.parts.filter((part) => part.kind === 'gauge' || part.kind === 'sum');
  if (parts.length === 0 && selection.parts.length > 0) {
    throw new AppError(
      'telemetry.aggregate_unsupported',
      `"${request.metric}" is a ${selection.parts[0]?.kind}: only gauges and sums have single values; read it with metrics/range`,
      { status: 422, field: 'metric' },
    );
  }
  if (parts.length < selection.parts.length && request.kind === '') {
    throw new AppError('telemetry.kinds_mixed', 'only gauges and sums have single values: choose with kind=', {
      status: 422,
      field: 'kind',
    });
  }
  if (parts.length === 0) return null;
  const { series, groups, oneGroup } = toEngineSeries(parts, 'group');
  const params = { tenant: request.tenant, series, groups, start: range.start, end: range.end };
  const toText = (row: PointsRow, points: string): string =>
    `{"attributes":${selection.groups[row.grp] ?? '{}'},"points":[${points}]}`;
  return { query: variant(pointsQuery, { oneGroup }), params, toText };
}

/** Samples as they are stored, however many; each text is up to an hour of one series. *Errors* `telemetry.aggregate_unsupported`, `telemetry.kinds_mixed` (422). */
export async function* streamPoints(
  reader: BoundedReader,
  selections: SelectionReader,
  request: SelectionRequest,
  range: Instants,
): AsyncGenerator<string> {
  const statement = await pointsStatement(reader, selections, request, range);
  if (statement === null) return;
  for await (const row of reader.stream(statement.query, statement.params)) yield statement.toText(row, row.points);
}

/**
 * Samples as they are stored, at most {@link pointsMax}; each text is one series. Not a stream: starting one plans its statement while everything else waits.
 *
 * *Errors* `telemetry.aggregate_unsupported`, `telemetry.kinds_mixed`, `telemetry.too_many_points` (422).
 */
export async function readPoints(
  reader: BoundedReader,
  selections: SelectionReader,
  request: SelectionRequest,
  range: Instants,
): Promise<string[]> {
  const statement = await pointsStatement(reader, selections, request, range);
  if (statement === null) return [];
  const rows = await reader.query(withResultBytes(statement.query, pointsBytesMax), statement.params).catch((error) => {
    throw isResultTooLarge(error) ? tooManyPoints() : error;
  });
  if (rows.reduce((sum, { count }) => sum + count, 0) > pointsMax) throw tooManyPoints();
  const series = Map.groupBy(rows, ({ id }) => id);
  return [...series.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : statement.toText(first, [first, ...others].map(({ points }) => points).join(',')),
  );
}

const tooManyPoints = () =>
  new AppError(
    'telemetry.too_many_points',
    `more than ${pointsMax} points: take a shorter range or a filter, or ask for application/x-ndjson`,
    { status: 422, field: 'start', context: { limit: pointsMax } },
  );
