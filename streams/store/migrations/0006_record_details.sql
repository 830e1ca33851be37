-- What senders left out, flags, and the schema URLs and scope attributes of spans; when a log record was seen. Rows of before have the defaults.
ALTER TABLE spans
  ADD COLUMN IF NOT EXISTS Flags UInt32 COMMENT 'W3C trace flags, and whether the parent is remote' CODEC(ZSTD(1)) AFTER `Links.Attributes`,
  ADD COLUMN IF NOT EXISTS DroppedAttributes UInt32 CODEC(ZSTD(1)) AFTER Flags,
  ADD COLUMN IF NOT EXISTS DroppedEvents UInt32 CODEC(ZSTD(1)) AFTER DroppedAttributes,
  ADD COLUMN IF NOT EXISTS DroppedLinks UInt32 CODEC(ZSTD(1)) AFTER DroppedEvents,
  ADD COLUMN IF NOT EXISTS ResourceSchemaUrl LowCardinality(String) AFTER DroppedLinks,
  ADD COLUMN IF NOT EXISTS ScopeSchemaUrl LowCardinality(String) AFTER ResourceSchemaUrl,
  ADD COLUMN IF NOT EXISTS ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)) AFTER ScopeSchemaUrl,
  ADD COLUMN IF NOT EXISTS `Events.DroppedAttributes` Array(UInt32) CODEC(ZSTD(1)) AFTER ScopeAttributes,
  ADD COLUMN IF NOT EXISTS `Links.DroppedAttributes` Array(UInt32) CODEC(ZSTD(1)) AFTER `Events.DroppedAttributes`,
  ADD COLUMN IF NOT EXISTS `Links.Flags` Array(UInt32) CODEC(ZSTD(1)) AFTER `Links.DroppedAttributes`;
ALTER TABLE log_records
  ADD COLUMN IF NOT EXISTS ObservedTimestamp DateTime64(9, 'UTC') COMMENT 'when it was seen, epoch 0 when not said' CODEC(Delta(8), ZSTD(1)) AFTER EventName,
  ADD COLUMN IF NOT EXISTS DroppedAttributes UInt32 COMMENT 'attributes that the sender left out' CODEC(ZSTD(1)) AFTER ObservedTimestamp;
-- A view keeps the columns that it was made with.
CREATE OR REPLACE VIEW otel_traces AS SELECT * REPLACE (lower(hex(TraceId)) AS TraceId, lower(hex(SpanId)) AS SpanId, if(ParentSpanId = toFixedString('', 8), '', lower(hex(ParentSpanId))) AS ParentSpanId) FROM spans;
CREATE OR REPLACE VIEW otel_logs AS SELECT * REPLACE (lower(hex(TraceId)) AS TraceId, lower(hex(SpanId)) AS SpanId) FROM log_records;
