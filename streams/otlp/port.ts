/** What the OTLP codecs hand to the store and to ingest. Pure: no clock, no I/O. */
import type { HourCount } from '../log/envelope.ts';

export type OtlpSignal = 'metrics' | 'traces' | 'logs';

/**
 * A series that the decoder knows. The same object comes back for every point of the series while it is cached.
 *
 * *Shape* `id` is `hash16(metric) << 48 | hash48(canonical identity)`; the store may replace it once, before `confirmed`, when the 48 bits collide with a stored identity.
 */
export interface SeriesEntry {
  readonly tenant: number;
  readonly metric: string;
  readonly kind: 'gauge' | 'sum' | 'histogram' | 'exponential_histogram' | 'summary';
  readonly temporality: 'cumulative' | 'delta' | '';
  readonly monotonic: boolean;
  readonly unit: string;
  /** `name@version` of the instrumentation scope. */
  readonly scope: string;
  readonly bounds: readonly number[];
  /** Point attributes by name; resource attributes under `resource.NAME`. Values as strings. Empty once `confirmed`: table `series` has them. */
  readonly attributes: ReadonlyMap<string, string>;
  /** 16 bytes: 128-bit hash of the canonical identity (attribute order does not matter). */
  readonly identity: Uint8Array;
  id: bigint;
  /** Set by the store once the row in `series` is certain. */
  confirmed: boolean;
  /** Range of times seen in this process, milliseconds; a point outside it cannot be a duplicate if `complete`. */
  minTimeMs: number;
  maxTimeMs: number;
  /** The store's: the range as it stood before batch `rangeBatch`, so that disorder inside one batch is told from what may be stored. */
  rangeBatch: number;
  settledMinMs: number;
  settledMaxMs: number;
  /** True when the series was new in this process's lifetime, so that min and max cover everything stored. */
  complete: boolean;
}

/** Number points (gauge, sum) as columns; index i of each vector is one point. Vectors are longer than `length`. */
export interface PointColumns {
  length: number;
  series: SeriesEntry[];
  timeMs: Float64Array;
  value: Float64Array;
  /** 0 when unknown. */
  startMs: Float64Array;
  /** 1 no recorded value, 2 inexact integer above 2^53. */
  flags: Uint8Array;
}

interface PointRow {
  readonly series: SeriesEntry;
  readonly timeMs: number;
  readonly startMs: number;
  readonly flags: number;
  readonly count: bigint;
  readonly sum: number;
}
export interface HistogramRow extends PointRow {
  /** NaN when not sent. */
  readonly min: number;
  readonly max: number;
  readonly bucketCounts: readonly bigint[];
}
export interface ExponentialHistogramRow extends PointRow {
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zeroCount: bigint;
  readonly zeroThreshold: number;
  readonly positiveOffset: number;
  readonly positiveCounts: readonly bigint[];
  readonly negativeOffset: number;
  readonly negativeCounts: readonly bigint[];
}
export interface SummaryRow extends PointRow {
  readonly quantiles: readonly number[];
  readonly quantileValues: readonly number[];
}
export interface ExemplarRow {
  readonly series: SeriesEntry;
  readonly timeMs: number;
  readonly value: number;
  /** 16 and 8 bytes, zero when absent. */
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly attributes: ReadonlyMap<string, string>;
}

export interface DecodedMetrics {
  readonly points: PointColumns;
  readonly histograms: HistogramRow[];
  readonly exponentialHistograms: ExponentialHistogramRow[];
  readonly summaries: SummaryRow[];
  readonly exemplars: ExemplarRow[];
  /** Entries met for the first time since the cache was made or since they were evicted, in order of appearance. */
  readonly newSeries: SeriesEntry[];
}

export interface SpanRow {
  readonly timeNs: bigint;
  readonly durationNs: bigint;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly traceState: string;
  readonly name: string;
  /** `Unspecified`, `Internal`, `Server`, `Client`, `Producer`, `Consumer`, as the exporter writes them. */
  readonly kind: string;
  readonly serviceName: string;
  readonly resourceSchemaUrl: string;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly scopeSchemaUrl: string;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly scopeAttributes: ReadonlyMap<string, string>;
  readonly attributes: ReadonlyMap<string, string>;
  /** W3C trace flags and whether the parent is remote. */
  readonly flags: number;
  /** What the sender left out of attributes, events and links; the same inside of events and links. */
  readonly droppedAttributes: number;
  readonly droppedEvents: number;
  readonly droppedLinks: number;
  /** `Unset`, `Ok`, `Error`. */
  readonly statusCode: string;
  readonly statusMessage: string;
  readonly events: readonly {
    timeNs: bigint;
    name: string;
    attributes: ReadonlyMap<string, string>;
    droppedAttributes: number;
  }[];
  readonly links: readonly {
    traceId: string;
    spanId: string;
    traceState: string;
    attributes: ReadonlyMap<string, string>;
    droppedAttributes: number;
    flags: number;
  }[];
}

export interface LogRow {
  /** Time, or else observed time. */
  readonly timeNs: bigint;
  /** When it was seen, 0 when not said. */
  readonly observedNs: bigint;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly traceFlags: number;
  readonly severityText: string;
  readonly severityNumber: number;
  readonly serviceName: string;
  readonly body: string;
  readonly resourceSchemaUrl: string;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly scopeSchemaUrl: string;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly scopeAttributes: ReadonlyMap<string, string>;
  readonly attributes: ReadonlyMap<string, string>;
  readonly eventName: string;
  /** Attributes that the sender left out. */
  readonly droppedAttributes: number;
  /** Hash of the record and its number among equal ones of its request. */
  readonly hash: bigint;
}

/** When a record may be stored: not older than its retention, not more than 24 h ahead of `receivedAtMs`. Door and store use the same rule. */
export interface TimeBounds {
  readonly oldestMs: number;
  readonly newestMs: number;
}

/**
 * Decodes protobuf `Export…ServiceRequest` bytes. One decoder lives as long as the consumer and owns the bounded series cache; `metrics` may be called for several records
 * (several tenants) before `takeMetrics` hands the gathered columns over. Records outside `bounds` are skipped, exactly those that the door reported as rejected.
 *
 * *Errors* `otlp.malformed` (not retryable) with the byte offset; what was gathered from that payload is dropped.
 */
export interface OtlpDecoder {
  metrics(payload: Uint8Array, tenant: number, bounds: TimeBounds): { records: number };
  takeMetrics(): DecodedMetrics;
  /** Gives the number columns of a hand-over back: the next one may use their memory. */
  recycle(decoded: DecodedMetrics): void;
  traces(payload: Uint8Array, bounds: TimeBounds): SpanRow[];
  /** `part` is the envelope's: equal records in different parts of one request stay two. */
  logs(payload: Uint8Array, bounds: TimeBounds, part?: number): LogRow[];
}

/** Limits that the door applies while it scans. A record beyond them is refused, not cut to size: a shorter attribute would be another series. */
export interface ScanRules {
  /** Own attributes of a record, its resource and its scope, each; names and values also of exemplars, events and links. *Units* bytes. */
  readonly attributes?: { readonly perRecord: number; readonly nameBytes: number; readonly valueBytes: number };
  readonly series?: SeriesGate;
}

/** Asked for every metric point that is otherwise good. */
export interface SeriesGate {
  /** `h1`, `h2`: 64-bit hash of the series, whatever the order of its attributes. Null lets the point in. */
  judge(h1: number, h2: number): 'series_limit' | 'new_series_rate' | null;
}

/** What the door learns from a payload without building rows. */
export interface ScanResult {
  readonly records: number;
  readonly hours: readonly HourCount[];
  /** Records outside the time bounds, by reason (`too_old`, `too_far_ahead`). */
  readonly rejected: ReadonlyMap<string, number>;
  /** Distinct values of the resource attribute `dotmac.tenant.id`. */
  readonly tenantIds: readonly string[];
  /** Where the values of records begin that are refused by {@link ScanRules}, ascending: the decoder would take them. */
  readonly cut: readonly number[];
}
