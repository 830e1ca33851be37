-- One row a series, written once when first seen, never changed.
CREATE TABLE series (
  tenant UInt32,
  metric LowCardinality(String),
  series UInt64,
  identity FixedString(16) COMMENT '128-bit hash of the canonical identity; decides a collision of the 48 bits',
  kind LowCardinality(String) COMMENT 'gauge, sum, histogram, exponential_histogram, summary',
  temporality LowCardinality(String) COMMENT 'cumulative, delta, empty for gauges',
  monotonic Bool,
  unit LowCardinality(String),
  scope LowCardinality(String) COMMENT 'instrumentation scope name@version',
  bounds Array(Float64) COMMENT 'histogram bucket bounds, empty otherwise',
  attributes Map(LowCardinality(String), String) COMMENT 'point attributes and, under resource., resource attributes' CODEC(ZSTD(1)),
  first_seen DateTime('UTC'),
  items Array(String) ALIAS arrayMap((k, v) -> concat(k, '=', v), mapKeys(attributes), mapValues(attributes)),
  INDEX items_text items TYPE text(tokenizer = 'array')
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, metric, series)
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
