import { z } from 'zod';

/** What bills are made of is kept for the dispute window at least. */
const billedDays = z.int().min(100).max(3650);
const days = z.int().min(1).max(3650);
const count = (max: number) => z.int().min(1).max(max);

/**
 * What one tenant may send, hold and read. Data of the control plane, a row a tenant that overrides these defaults; changed without a restart.
 *
 * *Units* bytes after decompression unless the name says otherwise; rates are token buckets with a burst of ten seconds.
 * *Bias* limits protect the others: a tenant far below them never meets one.
 */
export const TenantLimits = z.strictObject({
  pointsPerSecond: count(100_000_000).default(200_000).describe('points, spans, log records and usage events together'),
  bytesPerSecond: count(10_000_000_000).default(64 * 1024 * 1024),
  activeSeries: count(10_000_000).default(200_000).describe('series with a point in the last hour'),
  newSeriesPerSecond: count(1_000_000).default(20_000),
  attributesPerRecord: count(1024).default(128),
  attributeNameBytes: count(4096).default(256),
  attributeValueBytes: count(1_048_576).default(16_384),
  requestBytes: count(256 * 1024 * 1024)
    .default(20 * 1024 * 1024)
    .describe('one request as it comes, compressed or not'),
  concurrentRequests: count(1024).default(32),
  readsPerSecond: count(10_000).default(50).describe('API reads of one key'),
  outOfOrderSeconds: count(34_560_000)
    .default(32 * 86_400)
    .describe(
      'telemetry older than this when it is received is kept, flagged late and not billed by itself; a key with scope backfill is never late',
    ),
  retentionDays: z
    .strictObject({
      metrics: billedDays.default(400),
      traces: days.default(400),
      logs: days.default(400),
      events: billedDays.default(400),
    })
    .prefault({}),
});
export type TenantLimits = z.infer<typeof TenantLimits>;

const { shape } = TenantLimits;
/**
 * Body of `PUT` and `PATCH /api/v1/tenants/{id}/limits`: any of the limits by name; null means the default again.
 *
 * *Shape* `PUT` puts every limit that it does not name back to its default, `PATCH` leaves it.
 */
export const LimitsChange = z
  .strictObject({
    pointsPerSecond: shape.pointsPerSecond.unwrap().nullable(),
    bytesPerSecond: shape.bytesPerSecond.unwrap().nullable(),
    activeSeries: shape.activeSeries.unwrap().nullable(),
    newSeriesPerSecond: shape.newSeriesPerSecond.unwrap().nullable(),
    attributesPerRecord: shape.attributesPerRecord.unwrap().nullable(),
    attributeNameBytes: shape.attributeNameBytes.unwrap().nullable(),
    attributeValueBytes: shape.attributeValueBytes.unwrap().nullable(),
    requestBytes: shape.requestBytes.unwrap().nullable(),
    concurrentRequests: shape.concurrentRequests.unwrap().nullable(),
    readsPerSecond: shape.readsPerSecond.unwrap().nullable(),
    outOfOrderSeconds: shape.outOfOrderSeconds.unwrap().nullable(),
    retentionDays: z
      .strictObject({
        metrics: billedDays.nullable(),
        traces: days.nullable(),
        logs: days.nullable(),
        events: billedDays.nullable(),
      })
      .partial()
      .nullable(),
  })
  .partial();
export type LimitsChange = z.infer<typeof LimitsChange>;

/** The limits in force for a tenant, and which of them are its own. */
export const TenantLimitsView = z.object({
  tenant: z.string(),
  limits: TenantLimits,
  /** Only what differs from the defaults by somebody's decision. */
  overrides: z.record(z.string(), z.unknown()),
  /** Null while the tenant has never had limits of its own. */
  updatedAt: z.string().nullable(),
});
export type TenantLimitsView = z.infer<typeof TenantLimitsView>;

/** Data of a tenant that was turned away, by hour of receipt. */
export const RejectedCount = z.object({
  tenant: z.string(),
  /** Start of the UTC hour of received-at. */
  hour: z.string(),
  signal: z.string(),
  /** A record's reason (`series_limit`, `too_old`, …) or the code of a request refused whole (`limits.points_per_second`). */
  reason: z.string(),
  /** Records refused alone; a request refused whole before its records were known counts once. */
  records: z.int(),
  lastAt: z.string(),
  /** What was said about the newest; empty when the reason says it all. Nothing of the payload. */
  detail: z.string(),
});
export type RejectedCount = z.infer<typeof RejectedCount>;

/** The limits of a tenant that has none of its own. */
export const defaultLimits: TenantLimits = Object.freeze(TenantLimits.parse({}));
