-- Increase of counters a metric and hour, edges between hours included: cheap top-n over months.
CREATE TABLE usage_hour (
  tenant UInt32, metric LowCardinality(String), bucket DateTime('UTC'), increase Float64, count UInt64, version UInt64
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (metric, tenant, bucket)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
