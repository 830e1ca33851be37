-- Events that came again under a known identity with another payload; the first one stands.
CREATE TABLE usage_conflicts (
  tenant UInt32, source String, id String, received DateTime64(3, 'UTC'), payload String, partition UInt16, offset UInt64, position UInt32 COMMENT 'place within the record of the log',
  retention_days UInt16 DEFAULT 400
) ENGINE = ReplacingMergeTree PRIMARY KEY (tenant, source, id, partition, offset) ORDER BY (tenant, source, id, partition, offset, position)
TTL toDate32(received) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
