-- One row an exemplar of a metric point.
CREATE TABLE exemplars (
  tenant UInt32 CODEC(ZSTD(1)), series UInt64 CODEC(ZSTD(1)), time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  value Float64 CODEC(ZSTD(1)), trace_id FixedString(16), span_id FixedString(8), attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  retention_days UInt16 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree PARTITION BY toDate(time) ORDER BY (tenant, toStartOfHour(time), series, time, trace_id, span_id)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
