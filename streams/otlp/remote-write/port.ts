/** What the remote-write codecs read and what they make of it. Pure: no clock, no I/O. */
import type { TimeBounds } from '../port.ts';

/** `1.0` is `prometheus.WriteRequest`, `2.0` is `io.prometheus.write.v2.Request`. */
export type RemoteWriteVersion = '1.0' | '2.0';

/** Elements as the protocol counts them. */
export interface RemoteWriteCounts {
  readonly samples: number;
  /** Native histograms. */
  readonly histograms: number;
  readonly exemplars: number;
}

/** Why an element is not stored. Catalogued in the README. */
export type RemoteWriteReason =
  | 'too_old'
  | 'too_far_ahead'
  | 'unnamed_metric'
  | 'invalid_name'
  | 'duplicate_label'
  | 'invalid_reference'
  | 'no_samples'
  | 'duplicate_timestamp'
  | 'histogram_schema'
  | 'histogram_invalid'
  | 'fractional_count'
  | 'bucket_range'
  | 'exemplar_invalid'
  | 'exemplar_without_point';

/** A message body that was taken before, decompressed. */
export interface EarlierBody {
  readonly version: RemoteWriteVersion;
  readonly bytes: Uint8Array;
}

export interface RemoteWriteOptions {
  readonly version: RemoteWriteVersion;
  readonly bounds: TimeBounds;
  /** Upper limit of the translation: references of 2.0 let a small message stand for a large one. */
  readonly maxBytes: number;
  /** Bodies in which the points of lonely exemplars are looked for, newest first. */
  readonly earlier?: readonly EarlierBody[];
}

/**
 * One message as OTLP.
 *
 * *Shape* `sent` counts what the message holds, `written` what the payload stands for; a repeated equal sample is written once and counts as written each time.
 * `payload` may hold `repeated` more points: each carries exemplars and was in an earlier body.
 */
export interface RemoteWriteTranslation {
  /** `ExportMetricsServiceRequest`, empty when nothing is to be stored. */
  readonly payload: Uint8Array;
  readonly sent: RemoteWriteCounts;
  readonly written: RemoteWriteCounts;
  readonly rejected: ReadonlyMap<RemoteWriteReason, number>;
  /** Points in the payload that are in no sample of this message. */
  readonly repeated: number;
  /** The first refusals in words, each naming its series. */
  readonly details: readonly string[];
  /** Distinct values of the labels `dotmac_tenant_id` and `dotmac.tenant.id`. */
  readonly tenantIds: readonly string[];
}

/** *Source* `MetricMetadata.MetricType` of both messages; the numbers agree. */
export const metricTypes = {
  unknown: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugeHistogram: 4,
  summary: 5,
  info: 6,
  stateSet: 7,
} as const;

export interface RemoteSample {
  readonly timeMs: number;
  /** 0 when not sent. */
  readonly startMs: number;
  /** Not meant when stale. */
  readonly value: number;
  /** The stale marker: the series ends here. */
  readonly isStale: boolean;
}

export interface BucketSide {
  /** Offset and length of each span, flat. */
  readonly spans: number[];
  /** Differences of counts (integer histograms); the flag of `RemoteHistogram` says whether a number lost digits. */
  readonly deltas: number[];
  /** Counts of float histograms. */
  readonly counts: number[];
}

/** A native histogram as it came. */
export interface RemoteHistogram {
  timeMs: number;
  startMs: number;
  count: number;
  isFloat: boolean;
  sum: number;
  isStale: boolean;
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  readonly negative: BucketSide;
  readonly positive: BucketSide;
  resetHint: number;
  readonly customValues: number[];
  /** A whole number beyond 2^53 was sent. */
  isInexact: boolean;
}

export interface RemoteExemplar {
  /** Name, value, name, value … as sent. */
  readonly labels: readonly string[];
  readonly value: number;
  readonly timeMs: number;
  /** A reference pointed outside the symbols. */
  readonly isBroken: boolean;
}

/** One `TimeSeries` message. */
export interface RemoteSeries {
  /** Name, value, name, value … as sent; null when a reference pointed outside the symbols. */
  readonly labels: readonly string[] | null;
  readonly samples: readonly RemoteSample[];
  readonly histograms: readonly RemoteHistogram[];
  readonly exemplars: readonly RemoteExemplar[];
  readonly type: number;
  readonly unit: string;
  readonly help: string;
}
