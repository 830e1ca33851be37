-- How far metering is complete, a row a log partition: every offset below next is in the facts; the greatest next counts, so a leader of before that is behind changes nothing. An invoice's known-at is taken from here.
CREATE TABLE metered_positions (
  partition UInt16, next UInt64, at DateTime64(3, 'UTC') COMMENT 'when the run began'
) ENGINE = ReplacingMergeTree(next) ORDER BY partition
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
