import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import {
  AppError,
  AttributeFilters,
  MetricRange,
  MetricRangeQuery,
  MetricSummaries,
  pageOf,
  TelemetryCounts,
  TelemetryRange,
} from 'streams/contract';
import { z } from 'zod';
import { parseFilters } from './attribute-filters.ts';
import {
  pointsMax,
  readAttributeNames,
  readAttributeValues,
  readLatest,
  readMetrics,
  readPoints,
  streamPoints,
} from './metric-lists.ts';
import { readRangeText, toRangeJson, toRangeLines } from './metric-range.ts';
import type { SelectionRequest } from './metric-selection.ts';
import { sendLines, wantsLines } from './ndjson.ts';
import { countsQuery } from './queries.ts';
import { parseInstants } from './range-plan.ts';
import {
  inTurn,
  ListQuery,
  permission,
  RangeListQuery,
  type ReadDependencies,
  streamInTurn,
  tags,
  tenantNumber,
} from './route-scope.ts';

const metric = z.string().min(1).max(255);
const text = z.string().max(255);
const attributes = z.record(z.string(), z.string());

const MetricsQuery = ListQuery.extend({ prefix: text.optional(), search: text.optional() });
const AttributesQuery = ListQuery.extend({
  metric: metric.optional(),
  search: text.optional(),
  filter: AttributeFilters,
});
const ValuesQuery = AttributesQuery.extend({ attribute: z.string().min(1).max(255) });
const AttributeNamePage = pageOf(z.object({ name: z.string(), values: z.number(), series: z.number() }));
const AttributeValuePage = pageOf(z.object({ value: z.string(), series: z.number() }));
const LatestQuery = RangeListQuery.extend({ metric: metric.optional(), filter: AttributeFilters });
const LatestPage = pageOf(
  z.object({ metric: z.string(), unit: z.string(), attributes, time: z.number(), value: z.number() }),
);
const PointsQuery = TelemetryRange.extend({
  metric,
  kind: z.literal(['gauge', 'sum']).optional(),
  filter: AttributeFilters,
});
const Points = z.object({
  metric: z.string(),
  series: z.array(z.object({ attributes, points: z.array(z.tuple([z.number(), z.number()])) })),
});

/** A body that is JSON text already, where the route's schema describes what it holds: it is not parsed and written a second time. */
const asJson = (body: string) => body as never;

/** Counts and everything about metrics. */
export function metricRoutes(deps: ReadDependencies): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/api/v1/telemetry/counts',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'How much is stored and visible in a half-open range of occurred-at; duplicates not at all',
          querystring: TelemetryRange,
          response: { 200: TelemetryCounts },
        },
      },
      async (request) => {
        const number = tenantNumber(request);
        const range = parseInstants(request.query, deps.clock.now());
        const [counts] = await inTurn(deps, { number }, 'start', (reader) =>
          reader.query(countsQuery, { tenant: number, ...range }),
        );
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
          summary: 'Metrics of a tenant: names, kinds, units and series counts; by prefix or part of the name',
          querystring: MetricsQuery,
          response: { 200: MetricSummaries },
        },
      },
      async (request) => {
        const number = tenantNumber(request);
        return inTurn(deps, { number }, 'prefix', (reader) => readMetrics(reader, number, request.query));
      },
    );
    app.get(
      '/api/v1/telemetry/metrics/attributes',
      {
        config: { permission },
        schema: {
          tags,
          summary:
            'Attribute names of a metric with how many values each has; resource attributes begin with resource.',
          querystring: AttributesQuery,
          response: { 200: AttributeNamePage },
        },
      },
      async (request) => {
        const number = tenantNumber(request);
        return inTurn(deps, { number }, 'metric', (reader) => readAttributeNames(reader, number, request.query));
      },
    );
    app.get(
      '/api/v1/telemetry/metrics/attributes/values',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'Values of one attribute of a metric, for completion while typing',
          querystring: ValuesQuery,
          response: { 200: AttributeValuePage },
        },
      },
      async (request) => {
        const number = tenantNumber(request);
        return inTurn(deps, { number }, 'metric', (reader) => readAttributeValues(reader, number, request.query));
      },
    );
    app.get(
      '/api/v1/telemetry/metrics/range',
      {
        config: { permission },
        schema: {
          tags,
          summary:
            'A metric in steps from start: aggregates, exact increase across resets, quantiles, group-by, filters',
          description:
            'Example: `?metric=http.server.request.duration&aggregate=p95&groupBy=http.route&filter=http.response.status_code=~5..&step=5m&limit=10`. With `Accept: application/x-ndjson` the first line says what the answer is, then comes a line a series. Increase and rate are exact across resets; `window=5m` asks for the rate as Prometheus computes it.',
          querystring: MetricRangeQuery,
          response: { 200: MetricRange },
        },
      },
      async (request, reply) => {
        const number = tenantNumber(request);
        const answer = await inTurn(deps, { number }, 'step', (reader) =>
          readRangeText({ ...deps, reader, nowMs: deps.clock.now() }, number, request.query),
        );
        if (wantsLines(request)) return sendLines(request, reply, fromSync(toRangeLines(answer))) as never;
        return reply.type('application/json; charset=utf-8').send(asJson(toRangeJson(answer)));
      },
    );
    app.get(
      '/api/v1/telemetry/metrics/latest',
      {
        config: { permission },
        schema: {
          tags,
          summary: 'The newest point of each series of a metric, or of all metrics, by default of the last hour',
          querystring: LatestQuery,
          response: { 200: LatestPage },
        },
      },
      async (request, reply) => {
        const number = tenantNumber(request);
        const range = parseInstants(request.query, deps.clock.now());
        const { items, nextCursor } = await inTurn(deps, { number }, 'metric', (reader) =>
          readLatest(reader, number, range, request.query),
        );
        const body = `{"items":[${items.join(',')}],"nextCursor":${JSON.stringify(nextCursor)}}`;
        return reply.type('application/json; charset=utf-8').send(asJson(body));
      },
    );
    app.get(
      '/api/v1/telemetry/metrics/points',
      {
        config: { permission },
        schema: {
          tags,
          summary: `Samples of a gauge or sum as they are stored; up to ${pointsMax} as JSON, without bound as application/x-ndjson`,
          querystring: PointsQuery,
          response: { 200: Points },
        },
      },
      async (request, reply) => {
        const number = tenantNumber(request);
        const range = parseInstants(request.query, deps.clock.now());
        const wanted: SelectionRequest = {
          ...{ tenant: number, metric: request.query.metric, kind: request.query.kind ?? '' },
          ...{ conditions: parseFilters(request.query.filter), groupBy: [], every: true },
        };
        if (wantsLines(request)) {
          const lines = streamInTurn(deps, { number }, 'start', (reader) =>
            streamPoints(reader, deps.selections, wanted, range),
          );
          return sendLines(request, reply, linesOf(lines)) as never;
        }
        const series = await inTurn(deps, { number }, 'start', (reader) =>
          readPoints(reader, deps.selections, wanted, range),
        );
        const body = `{"metric":${JSON.stringify(wanted.metric)},"series":[${series.join(',')}]}`;
        return reply.type('application/json; charset=utf-8').send(asJson(body));
      },
    );
  };
}

async function* linesOf(rows: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const row of rows) yield `${row}\n`;
}

async function* fromSync(lines: Iterable<string>): AsyncGenerator<string> {
  yield* lines;
}
