-- Records that could not be stored, with their original bytes.
CREATE TABLE dead_letters (
  tenant UInt32, at DateTime64(3, 'UTC'), topic LowCardinality(String), partition UInt16, offset UInt64, code LowCardinality(String), detail String, envelope String, payload String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree ORDER BY (tenant, at, topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
