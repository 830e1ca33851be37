import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AttributeFilters } from 'streams/contract';
import { z } from 'zod';
import { type LogSearch, readLogs } from './log-search.ts';
import { sendLines, wantsLines } from './ndjson.ts';
import { servicesQuery } from './queries.ts';
import { parseInstants } from './range-plan.ts';
import { readDeadLetters, readTrace } from './record-reader.ts';
import { DeadLetterPage, fromCursor, LogPage, ServicePage, Trace, TracePage, toCursor } from './records.ts';
import {
  inTurn,
  ListQuery,
  permission,
  RangeListQuery,
  type ReadDependencies,
  scopeOf,
  TenantQuery,
  tags,
  tenantNumber,
} from './route-scope.ts';
import { searchTraces, type TraceSearch } from './trace-search.ts';

const text = z.string().max(500);

const LogsQuery = RangeListQuery.extend({
  query: text.default(''),
  match: z.literal(['text', 'words']).default('text'),
  service: text.optional(),
  traceId: z.string().max(64).optional(),
  severity: z.string().max(20).optional(),
  filter: AttributeFilters,
});

const TracesQuery = RangeListQuery.extend({
  query: text.default(''),
  service: text.optional(),
  operation: text.optional(),
  status: z.literal(['ok', 'error', 'unset']).optional(),
  minDuration: z.string().max(20).optional(),
  maxDuration: z.string().max(20).optional(),
  attribute: AttributeFilters,
});

/** Records of one page while an answer in lines is made; its memory is one page. */
const linePage = 1_000;
/** Records of an answer in lines. */
const linesMax = 1_000_000;

/** Pages one after the other as lines; each page takes its turn among the reads, so that a slow client holds nothing of the engine. */
async function* pagesAsLines<T>(
  cursor: string | undefined,
  read: (page: { limit: number; cursor: string | undefined }) => Promise<{ items: T[]; nextCursor: string | null }>,
): AsyncGenerator<string> {
  let next: string | undefined = cursor;
  for (let sent = 0; sent < linesMax; ) {
    const { items, nextCursor } = await read({ limit: Math.min(linePage, linesMax - sent), cursor: next });
    for (const item of items) yield `${JSON.stringify(item)}\n`;
    sent += items.length;
    if (nextCursor === null) return;
    next = nextCursor;
  }
}

/** Traces, log records, services and records that could not be stored. */
export function recordRoutes(deps: ReadDependencies): FastifyPluginAsyncZod {
  const tenantIdOf = (number: number) => deps.tenants.byNumber(number)?.id ?? null;
  return async (app) => {
    app.get(
      '/api/v1/telemetry/traces/:traceId',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Every span of a trace, each before its children, with events and links',
          params: z.object({ traceId: z.string().max(64) }),
          querystring: TenantQuery,
          response: { 200: Trace },
        },
      },
      async (request) => {
        const scope = scopeOf(request);
        return inTurn(deps, scope, 'traceId', (reader) => readTrace(reader, scope, tenantIdOf, request.params.traceId));
      },
    );
    app.get(
      '/api/v1/telemetry/traces',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Traces with a span that fulfils the search, newest first, with a summary of each',
          description:
            'Example: `?service=isp-framework&status=error&minDuration=250ms&attribute=http.route=/login`. With `Accept: application/x-ndjson` a line a trace, without pages.',
          querystring: TracesQuery,
          response: { 200: TracePage },
        },
      },
      async (request, reply) => {
        const number = tenantNumber(request);
        const { limit, cursor } = request.query;
        const range = parseInstants(request.query, deps.clock.now());
        const search: TraceSearch = request.query;
        const read = (page: { limit: number; cursor?: string | undefined }) =>
          inTurn(deps, { number }, 'start', (reader) => searchTraces(reader, number, range, search, page));
        if (wantsLines(request)) return sendLines(request, reply, pagesAsLines(cursor, read)) as never;
        return read({ limit, cursor });
      },
    );
    app.get(
      '/api/v1/telemetry/logs',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Log records by text, severity, service, trace and attributes, newest first',
          description:
            'Example: `?query=payment failed&match=words&severity=warn&service=billing`. `match=text` (default) finds a part of the body whatever its case, `words` whole words. With `Accept: application/x-ndjson` a line a record, without pages.',
          querystring: LogsQuery,
          response: { 200: LogPage },
        },
      },
      async (request, reply) => {
        const number = tenantNumber(request);
        const { limit, cursor } = request.query;
        const range = parseInstants(request.query, deps.clock.now());
        const search: LogSearch = request.query;
        const read = (page: { limit: number; cursor?: string | undefined }) =>
          inTurn(deps, { number }, 'start', (reader) => readLogs(reader, number, range, search, page));
        if (wantsLines(request)) return sendLines(request, reply, pagesAsLines(cursor, read)) as never;
        return read({ limit, cursor });
      },
    );
    app.get(
      '/api/v1/telemetry/services',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Services that sent spans or log records in a range, by default the last hour',
          querystring: RangeListQuery,
          response: { 200: ServicePage },
        },
      },
      async (request) => {
        const number = tenantNumber(request);
        const { limit, cursor } = request.query;
        const range = parseInstants(request.query, deps.clock.now());
        const [after] = cursor === undefined ? [] : fromCursor(cursor, [/^/s]);
        const position = { after: after ?? '', first: after === undefined ? 1 : 0 };
        const rows = await inTurn(deps, { number }, 'start', (reader) =>
          reader.query(servicesQuery, { tenant: number, ...range, ...position, limit: limit + 1 }),
        );
        const items = rows.slice(0, limit);
        const last = items.at(-1);
        return { items, nextCursor: rows.length > limit && last !== undefined ? toCursor([last.service]) : null };
      },
    );
    app.get(
      '/api/v1/telemetry/dead-letters',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Records that could not be stored, newest first',
          querystring: ListQuery,
          response: { 200: DeadLetterPage },
        },
      },
      async (request) => {
        const scope = scopeOf(request);
        return inTurn(deps, scope, 'limit', (reader) => readDeadLetters(reader, scope, tenantIdOf, request.query));
      },
    );
  };
}
