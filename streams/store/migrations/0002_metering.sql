-- Metering: how far the billing facts have read the log.
CREATE TABLE IF NOT EXISTS metered (
  signal LowCardinality(String) COMMENT 'metrics, events', tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  next UInt64 COMMENT 'log offsets below this are in the facts of the hour'
) ENGINE = ReplacingMergeTree(next) ORDER BY (signal, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS metered_positions (
  partition UInt16, next UInt64, at DateTime64(3, 'UTC') COMMENT 'when the run began'
) ENGINE = ReplacingMergeTree(at) ORDER BY partition
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
