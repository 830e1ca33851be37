-- The conservation ledger's hand-overs, one row a batch, signal, tenant and hour. Written before the batch's rows, under the batch's token.
-- Partitions by month of arrival, so that a month whose log is gone can be compacted while nothing is added to it, and by month of the hour, so that its parts tell which days they are about. The key begins with the day: the ledger and the jobs read days of all tenants.
CREATE TABLE touched (
  token String, signal LowCardinality(String) COMMENT 'metrics, traces, logs, events', tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  accepted UInt64 COMMENT 'records as the door counted them (envelope)', logged UInt64 COMMENT 'records as decoded from the payload',
  duplicates UInt64 COMMENT 'of logged, those whose identity was stored already or stood twice in the batch',
  accepted_sum Decimal(38, 12) COMMENT 'usage events only', logged_sum Decimal(38, 12), duplicate_sum Decimal(38, 12),
  seq UInt64 COMMENT 'last log offset of the batch', partition UInt16, at DateTime64(3, 'UTC'), arrived UInt32 DEFAULT toYYYYMM(at)
) ENGINE = ReplacingMergeTree PARTITION BY (arrived, toYYYYMM(bucket)) ORDER BY (toDate(bucket), signal, tenant, bucket, token)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 8192,
  fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1
