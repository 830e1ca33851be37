import { AppError } from 'streams/contract';
import type { z } from 'zod';
import { parseFilters } from './attribute-filters.ts';
import { traceSearchQuery } from './queries.ts';
import type { BoundedReader } from './query-gate.ts';
import type { Instants } from './range-plan.ts';
import { fromCursor, type TracePage, toCursor } from './records.ts';
import { withConditions } from './statement-variants.ts';

/** What a trace search asks for besides time and page; all conditions hold for one and the same span. */
export interface TraceSearch {
  readonly query: string;
  readonly service?: string | undefined;
  readonly operation?: string | undefined;
  readonly status?: 'ok' | 'error' | 'unset' | undefined;
  readonly minDuration?: string | undefined;
  readonly maxDuration?: string | undefined;
  readonly attribute?: readonly string[] | undefined;
}

const maxUint64 = '18446744073709551615';
const maxInt64 = '9223372036854775807';
/** As the decoder writes them. *Source* the OpenTelemetry ClickHouse exporter. */
const statusNames = { ok: 'Ok', error: 'Error', unset: 'Unset' } as const;
const nanosOf: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9 };

/** Nanoseconds of a duration such as `500us`, `250ms`, `1.5s`, `2m`. *Errors* `telemetry.duration_invalid` (400). */
export function parseSpanDuration(text: string, field: string): string {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ns|us|ms|s|m)$/.exec(text);
  if (match === null) {
    throw new AppError('telemetry.duration_invalid', `"${text}" is not a duration such as 500us, 250ms, 1.5s or 2m`, {
      status: 400,
      field,
    });
  }
  return String(BigInt(Math.round(Number(match[1]) * (nanosOf[match[2] ?? ''] ?? 0))));
}

/**
 * Traces with a span that fulfils the search, by their newest such span.
 *
 * *Errors* `telemetry.cursor_invalid`, `telemetry.duration_invalid`, `telemetry.filter_invalid` (400), `telemetry.query_too_expensive` (422).
 */
export async function searchTraces(
  reader: BoundedReader,
  tenant: number,
  range: Instants,
  search: TraceSearch,
  page: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<z.infer<typeof TracePage>> {
  const [beforeNanos = maxInt64, beforeTrace = 'f'.repeat(32)] =
    page.cursor === undefined ? [] : fromCursor(page.cursor, [/^\d{1,19}$/, /^[0-9a-f]{32}$/]);
  const params = {
    tenant,
    ...range,
    query: search.query,
    service: search.service ?? '',
    operation: search.operation ?? '',
    status: search.status === undefined ? '' : statusNames[search.status],
    errorStatus: statusNames.error,
    minDuration: search.minDuration === undefined ? '0' : parseSpanDuration(search.minDuration, 'minDuration'),
    maxDuration: search.maxDuration === undefined ? maxUint64 : parseSpanDuration(search.maxDuration, 'maxDuration'),
    ...parseFilters(search.attribute),
    beforeNanos,
    beforeTrace,
    limit: page.limit + 1,
  };
  const given = [
    ...(search.minDuration === undefined && search.maxDuration === undefined ? [] : ['duration']),
    ...(params.names.length === 0 ? [] : ['names']),
    ...(['service', 'operation', 'status', 'query'] as const).filter((name) => params[name] !== ''),
  ];
  const rows = await reader.query(withConditions(traceSearchQuery, given), params);
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    items: shown.map(({ newestNanos: _, ...trace }) => trace),
    nextCursor: rows.length > page.limit && last !== undefined ? toCursor([last.newestNanos, last.traceId]) : null,
  };
}
