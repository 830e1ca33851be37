import { z } from 'zod';
import { TenantId } from './tenant.ts';

/** What a log record carries; `events` are usage events. */
export const Signal = z.literal(['metrics', 'traces', 'logs', 'events']);
export type Signal = z.infer<typeof Signal>;

/** Half-open range of instants, ISO 8601. */
export const RangeQuery = z.object({
  tenant: TenantId.optional(),
  start: z.iso.datetime({ offset: true }),
  end: z.iso.datetime({ offset: true }),
});

/** Answer of `GET /api/v1/telemetry/counts`: stored and visible, duplicates not at all. */
export const TelemetryCounts = z.object({
  points: z.number().int(),
  spans: z.number().int(),
  logRecords: z.number().int(),
  usageEvents: z.number().int(),
});
export type TelemetryCounts = z.infer<typeof TelemetryCounts>;

/** One metric of a tenant. `series` counts distinct attribute sets. */
export const MetricSummary = z.object({
  name: z.string(),
  kind: z.string(),
  unit: z.string(),
  series: z.number().int(),
});
export const MetricSummaries = z.object({ items: z.array(MetricSummary), nextCursor: z.string().nullable() });

/** How the points of a step become one value. `pNN` (p50, p99.9, …) is a quantile; see {@link MetricRangeQuery}. */
export const RangeAggregate = z.literal([
  'avg',
  'sum',
  'min',
  'max',
  'count',
  'last',
  'rate',
  'increase',
  'p50',
  'p95',
  'p99',
]);
export type RangeAggregate = z.infer<typeof RangeAggregate>;

/** Half-open range of instants, ISO 8601 with `Z` or an offset; without `end` it ends now, without `start` it begins an hour before its end. */
export const TelemetryRange = z.object({
  tenant: TenantId.optional(),
  start: z.iso.datetime({ offset: true }).optional(),
  end: z.iso.datetime({ offset: true }).optional(),
});

/** A parameter that may be repeated. */
const repeatable = (max: number) =>
  z.preprocess(
    (value) => (value === undefined || Array.isArray(value) ? value : [value]),
    z.array(z.string()).max(max),
  );

/** Conditions on attributes: `name=value`, `name!=value`, `name=~regex`, `name!~regex` (RE2, the whole value); resource attributes under `resource.`; repeat for more, all must hold. */
export const AttributeFilters = repeatable(16).optional();

const duration = z.string().regex(/^[1-9]\d{0,6}(s|m|h|d)$/, 'is a duration such as 60s, 5m, 1h or 1d');

/**
 * Query of `GET /api/v1/telemetry/metrics/range`; `step` is a duration such as `60s`, `5m`, `1h`, `1d`, by default one that gives at most 720 points.
 *
 * *Shape* `groupBy` names attributes, repeated or with commas between them, `*` for every series; `limit` keeps the groups with the highest mean; `window` asks for a Prometheus-style rate over so long a window.
 */
export const MetricRangeQuery = TelemetryRange.extend({
  metric: z.string().min(1).max(255),
  step: duration.optional(),
  aggregate: z
    .union([
      RangeAggregate,
      z.string().regex(/^p(100|\d{1,2}(\.\d{1,4})?)$/, 'is an aggregate or a quantile such as p95'),
    ])
    .default('avg'),
  groupBy: repeatable(16).optional(),
  filter: AttributeFilters,
  kind: z.literal(['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary']).optional(),
  window: duration.optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});

/** Points are `[milliseconds since the epoch, value]`; a bucket without data is absent, never 0. */
export const MetricRange = z.object({
  metric: z.string(),
  unit: z.string(),
  series: z.array(
    z.object({
      attributes: z.record(z.string(), z.string()),
      points: z.array(z.tuple([z.number(), z.number()])),
    }),
  ),
  /** The rows that answered: samples, roll-ups, or both. */
  resolution: z.literal(['raw', 'minute', 'hour', 'mixed']).optional(),
  /** True when `limit` left groups out. */
  partial: z.boolean().optional(),
});
export type MetricRange = z.infer<typeof MetricRange>;
