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

export const RangeAggregate = z.literal(['avg', 'sum', 'min', 'max', 'count', 'rate', 'increase', 'p50', 'p95', 'p99']);
export type RangeAggregate = z.infer<typeof RangeAggregate>;

/** Query of `GET /api/v1/telemetry/metrics/range`; `step` is a duration such as `60s`, `5m`, `1h`, `1d`. */
export const MetricRangeQuery = RangeQuery.extend({
  metric: z.string().min(1).max(255),
  step: z
    .string()
    .regex(/^[1-9]\d{0,6}(s|m|h|d)$/)
    .default('60s'),
  aggregate: RangeAggregate.default('avg'),
  groupBy: z.string().max(255).optional(),
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
});
export type MetricRange = z.infer<typeof MetricRange>;
