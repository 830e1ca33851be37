import { defineQuery } from 'streams/store';
import { z } from 'zod';

const sql = (name: string): URL => new URL(`./sql/${name}.sql`, import.meta.url);
const tenant = z.number().int();
const ms = z.number().int();
const count = z.number();

/** See `sql/counts.sql`. */
export const countsQuery = defineQuery({
  file: sql('counts'),
  params: z.object({ tenant, start: ms, end: ms }),
  row: z.object({ points: count, spans: count, logRecords: count, usageEvents: count }),
});

/** See `sql/metrics.sql`. */
export const metricsQuery = defineQuery({
  file: sql('metrics'),
  params: z.object({ tenant, afterName: z.string(), afterKind: z.string(), afterUnit: z.string(), limit: z.number() }),
  row: z.object({ name: z.string(), kind: z.string(), unit: z.string(), series: count }),
});

/** See `sql/series_groups.sql`. */
export const seriesGroupsQuery = defineQuery({
  file: sql('series_groups'),
  params: z.object({ tenant, metric: z.string(), groupBy: z.string() }),
  row: z.object({
    kind: z.string(),
    temporality: z.string(),
    monotonic: z.boolean(),
    unit: z.string(),
    series: count,
    groups: count,
  }),
});

/** See `sql/roll_up_watermark.sql`. */
export const rollUpWatermarkQuery = defineQuery({
  file: sql('roll_up_watermark'),
  params: z.object({ tenant, start: ms, end: ms }),
  row: z.object({ firstDirty: ms }),
});

const rangeParams = { tenant, metric: z.string(), groupBy: z.string(), start: ms, end: ms, step: ms };
const number = z.number().nullable();

/** See `sql/range_numbers.sql`. */
export const rangeNumbersQuery = defineQuery({
  file: sql('range_numbers'),
  params: z.object({ ...rangeParams, lookback: ms, hourEnd: ms, minuteEnd: ms }),
  row: z.object({ grp: z.string(), slot: count, count, sum: number, min: number, max: number, increase: number }),
});

/** See `sql/range_quantiles.sql`. */
export const rangeQuantilesQuery = defineQuery({
  file: sql('range_quantiles'),
  params: z.object(rangeParams),
  row: z.object({ grp: z.string(), slot: count, quantiles: z.array(number) }),
});

/** See `sql/range_histograms.sql`. */
export const rangeHistogramsQuery = defineQuery({
  file: sql('range_histograms'),
  params: z.object({ ...rangeParams, lookback: ms }),
  row: z.object({
    grp: z.string(),
    slot: count,
    bounds: z.array(z.number()),
    count,
    sum: number,
    min: number,
    max: number,
    extremes: count,
    counts: z.array(z.number()),
  }),
});

const attributes = z.record(z.string(), z.string());

/** See `sql/trace.sql`. */
export const traceQuery = defineQuery({
  file: sql('trace'),
  params: z.object({ traceId: z.string(), tenant, allTenants: z.number(), limit: z.number() }),
  row: z.object({
    tenantNumber: z.number(),
    traceId: z.string(),
    spanId: z.string(),
    parentSpanId: z.string(),
    name: z.string(),
    kind: z.string(),
    service: z.string(),
    start: z.string(),
    durationNanos: z.string(),
    statusCode: z.string(),
    statusMessage: z.string(),
    attributes,
    resource: attributes,
    events: z.array(z.tuple([z.string(), z.string(), attributes])),
    links: z.array(z.tuple([z.string(), z.string(), attributes])),
  }),
});

/** See `sql/logs.sql`. */
export const logsQuery = defineQuery({
  file: sql('logs'),
  params: z.object({
    tenant,
    start: ms,
    end: ms,
    query: z.string(),
    beforeNanos: z.string(),
    beforeHash: z.string(),
    limit: z.number(),
  }),
  row: z.object({
    time: z.string(),
    severityText: z.string(),
    severityNumber: z.number(),
    service: z.string(),
    body: z.string(),
    traceId: z.string(),
    spanId: z.string(),
    attributes,
    resource: attributes,
    position: z.string(),
  }),
});

/** See `sql/dead_letters.sql`. */
export const deadLettersQuery = defineQuery({
  file: sql('dead_letters'),
  params: z.object({
    tenant,
    allTenants: z.number(),
    beforeMs: ms,
    beforePartition: z.number(),
    beforeOffset: z.string(),
    limit: z.number(),
  }),
  row: z.object({
    tenantNumber: z.number(),
    atMs: ms,
    topic: z.string(),
    part: z.number(),
    off: z.string(),
    code: z.string(),
    detail: z.string(),
    envelope: z.string(),
    payloadBytes: z.number(),
  }),
});
