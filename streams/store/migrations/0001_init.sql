-- All tables of the first version. Statements may run again after a crash: IF NOT EXISTS.

-- One row a point of a gauge or sum. Identity: (tenant, series, millisecond); the last insert wins.
CREATE TABLE IF NOT EXISTS samples (
  tenant UInt32 CODEC(ZSTD(1)),
  series UInt64 COMMENT 'hash16(metric) << 48 | hash48(identity), see series' CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  value Float64 CODEC(Delta(8), ZSTD(1)),
  start DateTime64(3, 'UTC') COMMENT 'OTLP start time, epoch 0 when unknown' CODEC(Delta(8), T64, ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)),
  flags UInt8 COMMENT '1 no recorded value, 2 inexact integer above 2^53, 4 late' CODEC(ZSTD(1)),
  retention_days UInt16 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfHour(time), series, time)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row a series, written once when first seen, never changed.
CREATE TABLE IF NOT EXISTS series (
  tenant UInt32,
  metric LowCardinality(String),
  series UInt64,
  identity FixedString(16) COMMENT '128-bit hash of the canonical identity; decides a collision of the 48 bits',
  kind LowCardinality(String) COMMENT 'gauge, sum, histogram, exponential_histogram, summary',
  temporality LowCardinality(String) COMMENT 'cumulative, delta, empty for gauges',
  monotonic Bool,
  unit LowCardinality(String),
  scope LowCardinality(String) COMMENT 'instrumentation scope name@version',
  bounds Array(Float64) COMMENT 'histogram bucket bounds, empty otherwise',
  attributes Map(LowCardinality(String), String) COMMENT 'point attributes and, under resource., resource attributes' CODEC(ZSTD(1)),
  first_seen DateTime('UTC'),
  items Array(String) ALIAS arrayMap((k, v) -> concat(k, '=', v), mapKeys(attributes), mapValues(attributes)),
  INDEX items_text items TYPE text(tokenizer = 'array')
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, metric, series)
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row a histogram point, buckets as they came (cumulative stays cumulative); bounds stand in series.
CREATE TABLE IF NOT EXISTS histograms (
  tenant UInt32 CODEC(ZSTD(1)), series UInt64 CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)), start DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  count UInt64 CODEC(ZSTD(1)), sum Float64 CODEC(ZSTD(1)), min Float32 COMMENT 'NaN when not sent' CODEC(ZSTD(1)), max Float32 COMMENT 'NaN when not sent' CODEC(ZSTD(1)),
  bucket_counts Array(UInt64) CODEC(ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)), flags UInt8 CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toDate(time) ORDER BY (tenant, toStartOfHour(time), series, time)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row an exponential histogram point.
CREATE TABLE IF NOT EXISTS exponential_histograms (
  tenant UInt32 CODEC(ZSTD(1)), series UInt64 CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)), start DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  count UInt64 CODEC(ZSTD(1)), sum Float64 CODEC(ZSTD(1)), min Float32 CODEC(ZSTD(1)), max Float32 CODEC(ZSTD(1)),
  scale Int8 CODEC(ZSTD(1)), zero_count UInt64 CODEC(ZSTD(1)), zero_threshold Float64 CODEC(ZSTD(1)),
  positive_offset Int32 CODEC(ZSTD(1)), positive_counts Array(UInt64) CODEC(ZSTD(1)),
  negative_offset Int32 CODEC(ZSTD(1)), negative_counts Array(UInt64) CODEC(ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)), flags UInt8 CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toDate(time) ORDER BY (tenant, toStartOfHour(time), series, time)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row a summary point.
CREATE TABLE IF NOT EXISTS summaries (
  tenant UInt32 CODEC(ZSTD(1)), series UInt64 CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)), start DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  count UInt64 CODEC(ZSTD(1)), sum Float64 CODEC(ZSTD(1)), quantiles Array(Float64) CODEC(ZSTD(1)), quantile_values Array(Float64) CODEC(ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)), flags UInt8 CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toDate(time) ORDER BY (tenant, toStartOfHour(time), series, time)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row an exemplar of a metric point.
CREATE TABLE IF NOT EXISTS exemplars (
  tenant UInt32 CODEC(ZSTD(1)), series UInt64 CODEC(ZSTD(1)), time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  value Float64 CODEC(ZSTD(1)), trace_id FixedString(16), span_id FixedString(8), attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  retention_days UInt16 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toDate(time) ORDER BY (tenant, toStartOfHour(time), series, time, trace_id, span_id)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row a span, columns of the OpenTelemetry ClickHouse exporter plus the tenant; view otel_traces gives its hex ids.
CREATE TABLE IF NOT EXISTS spans (
  tenant UInt32 CODEC(ZSTD(1)),
  Timestamp DateTime64(9, 'UTC') COMMENT 'span start' CODEC(Delta(8), ZSTD(1)),
  TraceId FixedString(16), SpanId FixedString(8), ParentSpanId FixedString(8), TraceState String CODEC(ZSTD(1)),
  SpanName LowCardinality(String), SpanKind LowCardinality(String), ServiceName LowCardinality(String),
  ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), ScopeName LowCardinality(String), ScopeVersion LowCardinality(String),
  SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), Duration UInt64 COMMENT 'nanoseconds' CODEC(ZSTD(1)),
  StatusCode LowCardinality(String), StatusMessage String CODEC(ZSTD(1)),
  `Events.Timestamp` Array(DateTime64(9, 'UTC')) CODEC(ZSTD(1)), `Events.Name` Array(String) CODEC(ZSTD(1)), `Events.Attributes` Array(Map(String, String)) CODEC(ZSTD(1)),
  `Links.TraceId` Array(String) CODEC(ZSTD(1)), `Links.SpanId` Array(String) CODEC(ZSTD(1)), `Links.TraceState` Array(String) CODEC(ZSTD(1)), `Links.Attributes` Array(Map(String, String)) CODEC(ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1)),
  INDEX trace_bloom TraceId TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY toDate(Timestamp)
ORDER BY (tenant, toStartOfHour(Timestamp), ServiceName, Timestamp, TraceId, SpanId)
TTL toDate32(Timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row a log record, columns of the OpenTelemetry ClickHouse exporter plus the tenant; view otel_logs gives its hex ids.
CREATE TABLE IF NOT EXISTS log_records (
  tenant UInt32 CODEC(ZSTD(1)),
  Timestamp DateTime64(9, 'UTC') COMMENT 'time, or else observed time' CODEC(Delta(8), ZSTD(1)),
  TraceId FixedString(16), SpanId FixedString(8), TraceFlags UInt8, SeverityText LowCardinality(String), SeverityNumber UInt8, ServiceName LowCardinality(String),
  Body String CODEC(ZSTD(1)), ResourceSchemaUrl LowCardinality(String), ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  ScopeSchemaUrl LowCardinality(String), ScopeName LowCardinality(String), ScopeVersion LowCardinality(String), ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), EventName LowCardinality(String),
  hash UInt64 COMMENT 'of the record and its number among equal ones of its request: the identity',
  received DateTime('UTC') CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1)),
  INDEX body_tokens lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY toDate(Timestamp)
ORDER BY (tenant, toStartOfHour(Timestamp), ServiceName, Timestamp, hash)
TTL toDate32(Timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- One row a usage event, deduplicated before the insert by (tenant, source, id). Kept for the dispute window whatever telemetry retention says.
CREATE TABLE IF NOT EXISTS usage_events (
  tenant UInt32, type LowCardinality(String) COMMENT 'CloudEvents type; a meter selects types', source String, id String,
  subject String COMMENT 'the customer or plugin counted', time DateTime64(3, 'UTC') COMMENT 'occurred-at', value Decimal(38, 12),
  attributes Map(LowCardinality(String), String), received DateTime64(3, 'UTC'), late Bool COMMENT 'occurred more than 32 days before it was received, under scope backfill',
  partition UInt16 COMMENT 'log partition', offset UInt64 COMMENT 'log offset: the known-at of this event'
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(time) ORDER BY (tenant, type, time, source, id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- Events that came again under a known identity with another payload; the first one stands.
CREATE TABLE IF NOT EXISTS usage_conflicts (
  tenant UInt32, source String, id String, received DateTime64(3, 'UTC'), payload String, partition UInt16, offset UInt64
) ENGINE = ReplacingMergeTree ORDER BY (tenant, source, id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- Hour roll-up of samples, by job from FINAL rows of touched hours; the highest version counts.
CREATE TABLE IF NOT EXISTS series_hour (
  tenant UInt32, series UInt64, bucket DateTime('UTC'), count UInt32 COMMENT 'points with a finite value', sum Float64, min Float64, max Float64, first Float64, last Float64,
  first_time DateTime64(3, 'UTC'), first_start DateTime64(3, 'UTC') COMMENT 'OTLP start time of the first point: a reset on the edge that the values do not show',
  last_time DateTime64(3, 'UTC'), increase Float64 COMMENT 'inside the bucket, resets counted from zero', resets UInt16,
  version UInt64 COMMENT 'log offset of the tenant''s partition up to which the row has read'
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (bitShiftRight(series, 48), tenant, series, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- Minute roll-up of samples, as series_hour.
CREATE TABLE IF NOT EXISTS series_minute (
  tenant UInt32, series UInt64, bucket DateTime('UTC') CODEC(Delta(4), ZSTD(1)), count UInt32 CODEC(ZSTD(1)), sum Float64 CODEC(ZSTD(1)), min Float64 CODEC(ZSTD(1)), max Float64 CODEC(ZSTD(1)),
  first Float64 CODEC(ZSTD(1)), last Float64 CODEC(ZSTD(1)), increase Float64 CODEC(ZSTD(1)), version UInt64 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(version) PARTITION BY toDate(bucket) ORDER BY (bitShiftRight(series, 48), tenant, series, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- Increase of counters a metric and hour, edges between hours included: cheap top-n over months.
CREATE TABLE IF NOT EXISTS usage_hour (
  tenant UInt32, metric LowCardinality(String), bucket DateTime('UTC'), increase Float64, count UInt64, version UInt64
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (metric, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- The conservation ledger's hand-overs, one row a batch, signal, tenant and hour. Written before the batch's rows, under the batch's token.
CREATE TABLE IF NOT EXISTS touched (
  token String, signal LowCardinality(String) COMMENT 'metrics, traces, logs, events', tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  accepted UInt64 COMMENT 'records as the door counted them (envelope)', logged UInt64 COMMENT 'records as decoded from the payload',
  duplicates UInt64 COMMENT 'of logged, those whose identity was stored already or stood twice in the batch',
  accepted_sum Decimal(38, 12) COMMENT 'usage events only', logged_sum Decimal(38, 12), duplicate_sum Decimal(38, 12),
  seq UInt64 COMMENT 'last log offset of the batch', partition UInt16, at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree ORDER BY (signal, tenant, bucket, token)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- How far the roll-up job has read each hour: an hour is dirty while max(touched.seq) > rolled.version.
CREATE TABLE IF NOT EXISTS rolled (
  signal LowCardinality(String), tenant UInt32, bucket DateTime('UTC'), version UInt64, rows UInt64 COMMENT 'records under FINAL that the roll-up counted'
) ENGINE = ReplacingMergeTree(version) ORDER BY (signal, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- Records that could not be stored, with their original bytes.
CREATE TABLE IF NOT EXISTS dead_letters (
  tenant UInt32, at DateTime64(3, 'UTC'), topic LowCardinality(String), partition UInt16, offset UInt64, code LowCardinality(String), detail String, envelope String, payload String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (tenant, at, topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- Append-only billing facts: one row a tenant, meter, subject, 15-minute bucket and version. The highest version up to a known-at cut-off counts.
CREATE TABLE IF NOT EXISTS billing_facts (
  tenant UInt32, meter LowCardinality(String), subject String COMMENT 'customer, plugin or series group; empty when the meter has none', bucket DateTime('UTC'),
  value Decimal(38, 12) COMMENT 'sum meters: units; time-weighted meters: unit-seconds', seconds UInt32 COMMENT 'time-weighted meters: measured seconds in the bucket', events UInt64,
  partition UInt16, version UInt64 COMMENT 'highest log offset of the tenant that the row has read'
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(bucket) ORDER BY (tenant, meter, bucket, subject, version)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- The OpenTelemetry ClickHouse exporter's tables as Grafana and HyperDX query them. Scope by tenant before handing them to anyone.
CREATE VIEW IF NOT EXISTS otel_traces AS SELECT * REPLACE (lower(hex(TraceId)) AS TraceId, lower(hex(SpanId)) AS SpanId, if(ParentSpanId = toFixedString('', 8), '', lower(hex(ParentSpanId))) AS ParentSpanId) FROM spans;
CREATE VIEW IF NOT EXISTS otel_logs AS SELECT * REPLACE (lower(hex(TraceId)) AS TraceId, lower(hex(SpanId)) AS SpanId) FROM log_records;

-- How far metering has read each hour: an hour is due while max(touched.seq) + 1 > metered.next. Lets an interrupted run go on where it stopped.
CREATE TABLE IF NOT EXISTS metered (
  signal LowCardinality(String) COMMENT 'metrics, events', tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  next UInt64 COMMENT 'log offsets below this are in the facts of the hour'
) ENGINE = ReplacingMergeTree(next) ORDER BY (signal, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- The last metering run that was completed, a row a log partition: every offset below next is in the facts. An invoice's known-at is taken from here.
CREATE TABLE IF NOT EXISTS metered_positions (
  partition UInt16, next UInt64, at DateTime64(3, 'UTC') COMMENT 'when the run began'
) ENGINE = ReplacingMergeTree(at) ORDER BY partition
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
