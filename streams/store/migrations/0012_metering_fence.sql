-- The position of metering only grows: of two processes that both took themselves for the leader, the one that is behind changes nothing, whatever their clocks say.
-- Every statement can be run again after any other: rows that came over twice are one row by their key.
CREATE TABLE IF NOT EXISTS metered_positions_fenced (
  partition UInt16, next UInt64, at DateTime64(3, 'UTC') COMMENT 'when the run began'
) ENGINE = ReplacingMergeTree(next) ORDER BY partition
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
RENAME TABLE IF EXISTS metered_positions TO metered_positions_by_clock;
CREATE TABLE IF NOT EXISTS metered_positions_by_clock AS metered_positions_fenced;
INSERT INTO metered_positions_fenced (partition, next, at) SELECT partition, next, at FROM metered_positions_by_clock ORDER BY at;
DROP TABLE metered_positions_by_clock SYNC SETTINGS max_table_size_to_drop = 0;
RENAME TABLE IF EXISTS metered_positions_fenced TO metered_positions;
