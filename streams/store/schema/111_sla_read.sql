-- How far the service level job has read each hour and its neighbours: an hour is due while max(touched.seq) + 1 > next. A row of sla_hour does not say it: it may stand there as a neighbour only.
CREATE TABLE sla_read (
  tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at', next UInt64 COMMENT 'log offsets below this are in the masks of the hour, the one before and the one after'
) ENGINE = ReplacingMergeTree(next) ORDER BY (tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
