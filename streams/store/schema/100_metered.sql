-- How far metering has read each hour: an hour is due while max(touched.seq) + 1 > metered.next. Lets an interrupted run go on where it stopped.
CREATE TABLE metered (
  signal LowCardinality(String) COMMENT 'metrics, events', tenant UInt32, bucket DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  next UInt64 COMMENT 'log offsets below this are in the facts of the hour', partition UInt16,
  refused String COMMENT 'error code when the facts of the hour could not be computed, empty otherwise; tried again in every run, and no invoice is made over it'
) ENGINE = ReplacingMergeTree(next) ORDER BY (signal, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
