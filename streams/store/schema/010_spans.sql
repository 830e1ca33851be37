-- One row a span, columns of the OpenTelemetry ClickHouse exporter plus the tenant; view otel_traces gives its hex ids.
CREATE TABLE spans (
  tenant UInt32 CODEC(ZSTD(1)),
  Timestamp DateTime64(9, 'UTC') COMMENT 'span start' CODEC(Delta(8), ZSTD(1)),
  TraceId FixedString(16), SpanId FixedString(8), ParentSpanId FixedString(8), TraceState String CODEC(ZSTD(1)),
  SpanName LowCardinality(String), SpanKind LowCardinality(String), ServiceName LowCardinality(String),
  ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), ScopeName LowCardinality(String), ScopeVersion LowCardinality(String),
  SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), Duration UInt64 COMMENT 'nanoseconds' CODEC(ZSTD(1)),
  StatusCode LowCardinality(String), StatusMessage String CODEC(ZSTD(1)),
  `Events.Timestamp` Array(DateTime64(9, 'UTC')) CODEC(ZSTD(1)), `Events.Name` Array(String) CODEC(ZSTD(1)), `Events.Attributes` Array(Map(String, String)) CODEC(ZSTD(1)),
  `Links.TraceId` Array(String) CODEC(ZSTD(1)), `Links.SpanId` Array(String) CODEC(ZSTD(1)), `Links.TraceState` Array(String) CODEC(ZSTD(1)), `Links.Attributes` Array(Map(String, String)) CODEC(ZSTD(1)),
  Flags UInt32 COMMENT 'W3C trace flags, and whether the parent is remote' CODEC(ZSTD(1)), DroppedAttributes UInt32 CODEC(ZSTD(1)), DroppedEvents UInt32 CODEC(ZSTD(1)), DroppedLinks UInt32 CODEC(ZSTD(1)),
  ResourceSchemaUrl LowCardinality(String), ScopeSchemaUrl LowCardinality(String), ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  `Events.DroppedAttributes` Array(UInt32) CODEC(ZSTD(1)), `Links.DroppedAttributes` Array(UInt32) CODEC(ZSTD(1)), `Links.Flags` Array(UInt32) CODEC(ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)), retention_days UInt16 CODEC(ZSTD(1)),
  INDEX trace_bloom TraceId TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY toDate(Timestamp)
ORDER BY (tenant, toStartOfHour(Timestamp), ServiceName, Timestamp, TraceId, SpanId)
TTL toDate32(Timestamp) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
