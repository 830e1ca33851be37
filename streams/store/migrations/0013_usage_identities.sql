-- Identities of usage events in the store, for a log that several processes consume.
CREATE TABLE IF NOT EXISTS usage_identities (
  tenant UInt32, identity FixedString(16) COMMENT 'first half of SHA-256 over tenant, source and id', content FixedString(16) COMMENT 'first half of SHA-256 over what makes the event the same',
  received DateTime('UTC'), partition UInt16 COMMENT 'log partition', offset UInt64, position UInt32 COMMENT 'index within the record'
) ENGINE = ReplacingMergeTree PARTITION BY toMonday(received) ORDER BY (tenant, identity)
TTL toDate32(received) + toIntervalDay(40)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024, ttl_only_drop_parts = 1,
  fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
