-- What came on time wins over a late copy of it: the engine of a table cannot be changed, so a new one takes over the old one's parts (links, no copies).
-- Every statement can be run again after any other: an interrupted run goes on, a finished one is done once more to the same end.
CREATE TABLE IF NOT EXISTS samples_ranked (
  tenant UInt32 CODEC(ZSTD(1)),
  series UInt64 COMMENT 'hash16(metric) << 48 | hash48(identity), see series' CODEC(ZSTD(1)),
  time DateTime64(3, 'UTC') CODEC(Delta(8), T64, ZSTD(1)),
  value Float64 CODEC(Delta(8), ZSTD(1)),
  start DateTime64(3, 'UTC') COMMENT 'OTLP start time, epoch 0 when unknown' CODEC(Delta(8), T64, ZSTD(1)),
  received DateTime('UTC') CODEC(ZSTD(1)),
  flags UInt8 COMMENT '1 no recorded value, 2 inexact integer above 2^53, 4 late' CODEC(ZSTD(1)),
  retention_days UInt16 CODEC(ZSTD(1)),
  on_time UInt8 MATERIALIZED bitAnd(flags, 4) = 0 COMMENT 'a late copy may not take a point out of the bill' CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(on_time)
PARTITION BY toDate(time)
ORDER BY (tenant, toStartOfHour(time), series, time)
TTL toDate32(time) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
RENAME TABLE IF EXISTS samples TO samples_unranked;
CREATE TABLE IF NOT EXISTS samples_unranked AS samples_ranked;
ALTER TABLE samples_unranked ADD COLUMN IF NOT EXISTS on_time UInt8 MATERIALIZED bitAnd(flags, 4) = 0 COMMENT 'a late copy may not take a point out of the bill' CODEC(ZSTD(1));
ALTER TABLE samples_ranked ATTACH PARTITION ALL FROM samples_unranked;
DROP TABLE samples_unranked SYNC SETTINGS max_table_size_to_drop = 0;
RENAME TABLE IF EXISTS samples_ranked TO samples;
-- Two conflicts of one identity in one record were one row.
ALTER TABLE usage_conflicts
  ADD COLUMN IF NOT EXISTS position UInt32 COMMENT 'place within the record of the log',
  MODIFY ORDER BY (tenant, source, id, partition, offset, position);
