import { AppError } from 'streams/contract';
import type { z } from 'zod';
import { parseFilters } from './attribute-filters.ts';
import { logsQueryOf } from './queries.ts';
import type { BoundedReader } from './query-gate.ts';
import type { Instants } from './range-plan.ts';
import { fromCursor, idOf, isoOfNanos, type LogPage, toCursor, withScope } from './records.ts';
import { withConditions } from './statement-variants.ts';

/** What a log search asks for besides time and page. */
export interface LogSearch {
  readonly query: string;
  /** `text`: the query is a part of the body; `words`: each of its words stands in the body as a whole. */
  readonly match: 'text' | 'words';
  readonly service?: string | undefined;
  readonly traceId?: string | undefined;
  readonly severity?: string | undefined;
  readonly filter?: readonly string[] | undefined;
}

const maxInt64 = '9223372036854775807';
const maxUint64 = '18446744073709551615';
const digits = /^\d{1,20}$/;
const tokensMax = 8;

/** The lowest number of each name. *Source* OpenTelemetry logs data model, SeverityNumber. */
const severityNumbers: Readonly<Record<string, number>> = {
  trace: 1,
  debug: 5,
  info: 9,
  warn: 13,
  error: 17,
  fatal: 21,
};
/** Names that senders without numbers write. */
const alsoNamed: Readonly<Record<string, readonly string[]>> = {
  warn: ['warning'],
  error: ['err', 'critical'],
  fatal: ['emergency', 'alert', 'panic'],
};

/** The lowest severity wanted as a number, and the names at or above it. *Errors* `telemetry.severity_invalid` (400). */
export function parseSeverity(severity: string | undefined): { severity: number; severities: string[] } {
  if (severity === undefined || severity === '') return { severity: 0, severities: [] };
  const number =
    severityNumbers[severity.toLowerCase()] ?? (/^\d{1,2}$/.test(severity) ? Number(severity) : Number.NaN);
  if (!(number >= 1 && number <= 24)) {
    throw new AppError('telemetry.severity_invalid', 'one of trace, debug, info, warn, error, fatal, or 1 to 24', {
      status: 400,
      field: 'severity',
    });
  }
  const severities = Object.entries(severityNumbers)
    .filter(([, lowest]) => lowest >= number)
    .flatMap(([name]) => [name, ...(alsoNamed[name] ?? [])]);
  return { severity: number, severities };
}

/** A trace id as the queries take it, '' for none. *Errors* `telemetry.trace_id_invalid` (400). */
export function parseTraceId(traceId: string | undefined): string {
  if (traceId === undefined || traceId === '') return '';
  if (/^[0-9a-fA-F]{32}$/.test(traceId)) return traceId.toLowerCase();
  throw new AppError('telemetry.trace_id_invalid', 'a trace id is 32 hexadecimal digits', {
    status: 400,
    field: 'traceId',
  });
}

/**
 * Words that stand in every body that the search can find, as the token index spells them: for `words` all of them, for `text` those with a separator on both sides, because the first and the last
 * may be parts of longer words. ASCII only: the index knows no other lower case.
 */
export function tokensOf(query: string, match: LogSearch['match']): string[] {
  const lower = query.toLowerCase();
  const found = [...lower.matchAll(/[a-z0-9]+/g)].filter(({ 0: word, index }) => {
    const before = lower[index - 1];
    const after = lower[index + word.length];
    // A neighbour beyond ASCII belongs to the same word for the index.
    const apart = [before, after].every((char) => char === undefined || char.charCodeAt(0) < 0x80);
    return apart && (match === 'words' || (before !== undefined && after !== undefined));
  });
  // The longest say most; a bloom filter of more is not better.
  return [...new Set(found.map(({ 0: word }) => word))].sort((a, b) => b.length - a.length).slice(0, tokensMax);
}

/** Words beyond what the index knows are looked for as text. */
function textOf(query: string, match: LogSearch['match']): string {
  if (match === 'text') return query;
  return /^[\x20-\x7e]*$/.test(query) ? '' : query;
}

/**
 * A tenant's log records, newest first.
 *
 * *Errors* `telemetry.cursor_invalid`, `telemetry.severity_invalid`, `telemetry.trace_id_invalid`, `telemetry.filter_invalid` (400), `telemetry.query_too_expensive` (422).
 */
export async function readLogs(
  reader: BoundedReader,
  tenant: number,
  range: Instants,
  search: LogSearch,
  page: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<z.infer<typeof LogPage>> {
  const [beforeNanos = maxInt64, beforeHash = maxUint64] =
    page.cursor === undefined ? [] : fromCursor(page.cursor, [digits, digits]);
  const tokens = tokensOf(search.query, search.match);
  const params = {
    tenant,
    start: range.start,
    end:
      page.cursor === undefined
        ? range.end
        : Math.min(range.end, Math.floor(Number(BigInt(beforeNanos) / 1_000_000n)) + 1),
    query: textOf(search.query, search.match),
    service: search.service ?? '',
    traceId: parseTraceId(search.traceId),
    ...parseSeverity(search.severity),
    ...parseFilters(search.filter),
    beforeNanos,
    beforeHash,
    limit: page.limit + 1,
    ...Object.fromEntries(tokens.map((token, i) => [`token${i}`, token])),
  };
  const given = [
    ...(page.cursor === undefined ? [] : ['cursor']),
    ...(params.severity === 0 ? [] : ['severity']),
    ...(params.names.length === 0 ? [] : ['names']),
    ...(['service', 'traceId', 'query'] as const).filter((name) => params[name] !== ''),
  ];
  const rows = await reader.query(withConditions(logsQueryOf(tokens.length), given), params);
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    items: shown.map(({ nanos, observedNanos, identity: _, ...record }) => ({
      ...withScope(record),
      time: isoOfNanos(nanos),
      observedTime: observedNanos === '0' ? null : isoOfNanos(observedNanos),
      traceId: idOf(record.traceId),
      spanId: idOf(record.spanId),
    })),
    nextCursor: rows.length > page.limit && last !== undefined ? toCursor([last.nanos, last.identity]) : null,
  };
}
