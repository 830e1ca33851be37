-- How far the roll-up job has read each hour: an hour is dirty while max(touched.seq) > rolled.version.
CREATE TABLE rolled (
  signal LowCardinality(String), tenant UInt32, bucket DateTime('UTC'), version UInt64, rows UInt64 COMMENT 'records under FINAL that the roll-up counted'
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (toDate(bucket), signal, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
