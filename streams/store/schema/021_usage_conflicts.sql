-- Events that came again under a known identity with another payload; the first one stands.
CREATE TABLE usage_conflicts (
  tenant UInt32, source String, id String, received DateTime64(3, 'UTC'), payload String, partition UInt16, offset UInt64
) ENGINE = ReplacingMergeTree ORDER BY (tenant, source, id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
