-- The kept conservation ledger. `touched` and `rolled` get partitions, so that their parts tell which days they are about, and keys that begin with the day, so that a day is read without its month: keys cannot be changed, so new tables take over the rows.
-- Every statement can be run again after any other: rows that came over twice are one row by their key.
CREATE TABLE IF NOT EXISTS touched_by_month (
  token String, signal LowCardinality(String) COMMENT 'metrics, traces, logs, events', tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  accepted UInt64 COMMENT 'records as the door counted them (envelope)', logged UInt64 COMMENT 'records as decoded from the payload',
  duplicates UInt64 COMMENT 'of logged, those whose identity was stored already or stood twice in the batch',
  accepted_sum Decimal(38, 12) COMMENT 'usage events only', logged_sum Decimal(38, 12), duplicate_sum Decimal(38, 12),
  seq UInt64 COMMENT 'last log offset of the batch', partition UInt16, at DateTime64(3, 'UTC'), arrived UInt32 DEFAULT toYYYYMM(at)
) ENGINE = ReplacingMergeTree PARTITION BY (arrived, toYYYYMM(bucket)) ORDER BY (toDate(bucket), signal, tenant, bucket, token)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 8192,
  fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
RENAME TABLE IF EXISTS touched TO touched_whole;
CREATE TABLE IF NOT EXISTS touched_whole AS touched_by_month;
INSERT INTO touched_by_month (token, signal, tenant, bucket, accepted, logged, duplicates, accepted_sum, logged_sum, duplicate_sum, seq, partition, at)
SELECT token, signal, tenant, bucket, accepted, logged, duplicates, accepted_sum, logged_sum, duplicate_sum, seq, partition, at FROM touched_whole;
DROP TABLE touched_whole SYNC SETTINGS max_table_size_to_drop = 0;
RENAME TABLE IF EXISTS touched_by_month TO touched;
CREATE TABLE IF NOT EXISTS rolled_by_month (
  signal LowCardinality(String), tenant UInt32, bucket DateTime('UTC'), version UInt64, rows UInt64 COMMENT 'records under FINAL that the roll-up counted'
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (toDate(bucket), signal, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
RENAME TABLE IF EXISTS rolled TO rolled_whole;
CREATE TABLE IF NOT EXISTS rolled_whole AS rolled_by_month;
INSERT INTO rolled_by_month (signal, tenant, bucket, version, rows) SELECT signal, tenant, bucket, version, rows FROM rolled_whole;
DROP TABLE rolled_whole SYNC SETTINGS max_table_size_to_drop = 0;
RENAME TABLE IF EXISTS rolled_by_month TO rolled;
CREATE TABLE IF NOT EXISTS produced (
  tenant UInt32, signal LowCardinality(String), producer String COMMENT 'one run of a sender, or the source of CloudEvents', first UInt64 COMMENT 'number of the first record; a run begins with 1',
  count UInt64 COMMENT 'records that the export had', bucket DateTime('UTC') COMMENT 'UTC hour of its accepted records', accepted UInt64 COMMENT 'records of this hour that the door accepted',
  anchored Bool COMMENT 'the numbers are known to begin with 1', seq UInt64 COMMENT 'last log offset of the batch', partition UInt16
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(bucket) ORDER BY (tenant, signal, producer, first, count, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS ledger_counts (
  source LowCardinality(String), day Date, version UInt64, tenant UInt32, signal LowCardinality(String), item LowCardinality(String) COMMENT 'the signal itself, or a meter',
  hop LowCardinality(String) COMMENT 'receiving side of the hand-over', hour DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  handed UInt64, taken UInt64, duplicates UInt64, conflicts UInt64,
  handed_sum Decimal(38, 12), taken_sum Decimal(38, 12), duplicate_sum Decimal(38, 12), conflict_sum Decimal(38, 12), handed_seconds UInt64, taken_seconds UInt64,
  reach UInt64 COMMENT 'log offset behind the newest batch of the hour', done UInt64 COMMENT 'log offset behind what the receiving side has read', partition UInt16,
  rule UInt8 COMMENT '1 sums are compared, 2 less may be taken than was handed over'
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (source, day, version, tenant, item, hop, hour)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS ledger_days (
  day Date, version UInt64, tenant UInt32, item LowCardinality(String), hop LowCardinality(String),
  hours UInt32, balanced UInt32, pending UInt32, mismatched UInt32, handed UInt64, taken UInt64, duplicates UInt64, conflicts UInt64,
  handed_sum Decimal(38, 12), taken_sum Decimal(38, 12), duplicate_sum Decimal(38, 12), conflict_sum Decimal(38, 12), exact UInt8 COMMENT 'sums are compared'
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, version, tenant, item, hop)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS ledger_kept (
  source LowCardinality(String), day Date, state String, version UInt64, digest UInt64 COMMENT 'of the rows of the version: equal counts have equal digests', rows UInt64, at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(at) ORDER BY (source, day)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
