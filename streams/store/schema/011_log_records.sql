-- One row a log record, columns of the OpenTelemetry ClickHouse exporter plus the tenant; view otel_logs gives its hex ids.
CREATE TABLE log_records (
  tenant UInt32 CODEC(ZSTD(1)),
  Timestamp DateTime64(9, 'UTC') COMMENT 'time, or else observed time' CODEC(Delta(8), ZSTD(1)),
  TraceId FixedString(16), SpanId FixedString(8), TraceFlags UInt8, SeverityText LowCardinality(String), SeverityNumber UInt8, ServiceName LowCardinality(String),
  Body String CODEC(ZSTD(1)), ResourceSchemaUrl LowCardinality(String), ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  ScopeSchemaUrl LowCardinality(String), ScopeName LowCardinality(String), ScopeVersion LowCardinality(String), ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), EventName LowCardinality(String),
  ObservedTimestamp DateTime64(9, 'UTC') COMMENT 'when it was seen, epoch 0 when not said' CODEC(Delta(8), ZSTD(1)), DroppedAttributes UInt32 COMMENT 'attributes that the sender left out' CODEC(ZSTD(1)),
  hash UInt64 COMMENT 'of the record and its number among equal ones of its request: the identity',
  received DateTime('UTC') CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1)),
  INDEX body_tokens lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY toDate(Timestamp)
ORDER BY (tenant, toStartOfHour(Timestamp), ServiceName, Timestamp, hash)
TTL toDate32(Timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
