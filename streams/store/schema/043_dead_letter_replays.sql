-- Dead letters that were put on the log again. One row a letter: the newest replay counts.
CREATE TABLE dead_letter_replays (
  tenant UInt32, partition UInt16 COMMENT 'of the letter', offset UInt64 COMMENT 'of the letter',
  at DateTime64(3, 'UTC') COMMENT 'when the replay began', by String COMMENT 'who asked for it', searched_from UInt64 COMMENT 'end of the log partition when the replay began: the record is not before it',
  new_offset Nullable(UInt64) COMMENT 'where the record stands now, in the same partition; null while that is not known', version UInt64 COMMENT 'milliseconds since the epoch'
) ENGINE = ReplacingMergeTree(version) ORDER BY (partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1
