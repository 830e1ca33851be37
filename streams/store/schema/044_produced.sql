-- Numbers that a producer gave its records, one row an export and hour. A resend carries the same numbers and is the same row. What is missing between them was produced and never accepted.
CREATE TABLE produced (
  tenant UInt32, signal LowCardinality(String), producer String COMMENT 'one run of a sender, or the source of CloudEvents', first UInt64 COMMENT 'number of the first record; a run begins with 1',
  count UInt64 COMMENT 'records that the export had', bucket DateTime('UTC') COMMENT 'UTC hour of its accepted records', accepted UInt64 COMMENT 'records of this hour that the door accepted',
  anchored Bool COMMENT 'the numbers are known to begin with 1', seq UInt64 COMMENT 'last log offset of the batch', partition UInt16
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(bucket) ORDER BY (tenant, signal, producer, first, count, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
