-- What is known of each minute of a tenant's hour, by the service level job from FINAL rows of touched hours; the highest version counts. An hour without a row is not computed yet.
CREATE TABLE sla_hour (
  tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  measured UInt64 COMMENT 'bit i: minute i was measured' CODEC(ZSTD(1)), bad UInt64 COMMENT 'bit i: minute i was bad; measured minutes only' CODEC(ZSTD(1)),
  version UInt64 COMMENT 'log offset of the tenant''s partition up to which the row has read' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
