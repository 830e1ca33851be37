-- What is known of each minute of a tenant's hour, by the service level job from FINAL rows of touched hours; the highest version counts. An hour without a row is not computed yet.
CREATE TABLE IF NOT EXISTS sla_hour (
  tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  measured UInt64 COMMENT 'bit i: minute i was measured' CODEC(ZSTD(1)), bad UInt64 COMMENT 'bit i: minute i was bad; measured minutes only' CODEC(ZSTD(1)),
  version UInt64 COMMENT 'log offset of the tenant''s partition up to which the row has read' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- How far the service level job has read each hour and its neighbours: an hour is due while max(touched.seq) + 1 > next. A row of sla_hour does not say it: it may stand there as a neighbour only.
CREATE TABLE IF NOT EXISTS sla_read (
  tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at', next UInt64 COMMENT 'log offsets below this are in the masks of the hour, the one before and the one after'
) ENGINE = ReplacingMergeTree(next) ORDER BY (tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- When the service level job had nothing left to do, a row a log partition: every offset below next is in the masks. A start looks at later batches only.
CREATE TABLE IF NOT EXISTS sla_positions (
  partition UInt16, next UInt64
) ENGINE = ReplacingMergeTree(next) ORDER BY partition
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
