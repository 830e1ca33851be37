import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import {
  AppError,
  MetricRange,
  MetricRangeQuery,
  MetricSummaries,
  PageQuery,
  RangeQuery,
  TelemetryCounts,
  TenantId,
} from 'streams/contract';
import type { Store } from 'streams/store';
import { z } from 'zod';
import { readMetricRange } from './metric-range.ts';
import { countsQuery } from './queries.ts';
import { parseInstants } from './range-plan.ts';
import { readDeadLetters, readLogs, readMetrics, readTrace, type Scope } from './record-reader.ts';
import { DeadLetterPage, LogPage, Trace } from './records.ts';

const permission = { resource: 'telemetry', action: 'read', tenant: 'query' } as const;
const tags = ['telemetry'];
const TenantQuery = z.object({ tenant: TenantId.optional() });

/** The engine number of the tenant that is read. *Errors* `telemetry.tenant_required` (400): the operator named none. */
function tenantNumber(request: FastifyRequest): number {
  if (request.tenant === null) {
    throw new AppError('telemetry.tenant_required', 'name the tenant to read: ?tenant=', {
      status: 400,
      field: 'tenant',
    });
  }
  return request.tenant.number;
}

/** One tenant's rows, or all rows for the operator who named no tenant. */
function scopeOf(request: FastifyRequest): Scope {
  if (request.tenant === null && request.principal.role === 'operator') return 'all';
  return { number: tenantNumber(request) };
}

/** The read side of telemetry under `/api/v1/telemetry`. */
export function telemetryRoutes(deps: {
  readonly store: Store;
  readonly tenants: TenantDirectory;
}): FastifyPluginAsyncZod {
  const { store } = deps;
  const tenantIdOf = (number: number) => deps.tenants.byNumber(number)?.id ?? null;
  return async (app) => {
    app.get(
      '/api/v1/telemetry/counts',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'How much is stored and visible in a half-open range of occurred-at; duplicates not at all',
          querystring: RangeQuery,
          response: { 200: TelemetryCounts },
        },
      },
      async (request) => {
        const range = parseInstants(request.query);
        const [counts] = await store.query(countsQuery, { tenant: tenantNumber(request), ...range });
        if (counts === undefined) throw new AppError('telemetry.counts_missing', 'the engine returned no counts');
        return counts;
      },
    );
    app.get(
      '/api/v1/telemetry/metrics',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Metrics of a tenant: names, kinds, units and series counts',
          querystring: PageQuery.extend(TenantQuery.shape),
          response: { 200: MetricSummaries },
        },
      },
      async (request) => readMetrics(store, tenantNumber(request), request.query),
    );
    app.get(
      '/api/v1/telemetry/metrics/range',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'A metric in steps from start: aggregates, exact increase across resets, histogram quantiles',
          querystring: MetricRangeQuery,
          response: { 200: MetricRange },
        },
      },
      async (request) => readMetricRange(store, tenantNumber(request), request.query),
    );
    app.get(
      '/api/v1/telemetry/traces/:traceId',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Every span of a trace',
          params: z.object({ traceId: z.string().max(64) }),
          querystring: TenantQuery,
          response: { 200: Trace },
        },
      },
      async (request) => readTrace(store, scopeOf(request), tenantIdOf, request.params.traceId),
    );
    app.get(
      '/api/v1/telemetry/logs',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Log records whose body contains a text, newest first',
          querystring: RangeQuery.extend({ query: z.string().max(500).default(''), ...PageQuery.shape }),
          response: { 200: LogPage },
        },
      },
      async (request) => readLogs(store, tenantNumber(request), request.query),
    );
    app.get(
      '/api/v1/telemetry/dead-letters',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Records that could not be stored, newest first',
          querystring: PageQuery.extend(TenantQuery.shape),
          response: { 200: DeadLetterPage },
        },
      },
      async (request) => readDeadLetters(store, scopeOf(request), tenantIdOf, request.query),
    );
  };
}
