-- The kept ledger: what each source (a table under its rule) counts for its side of each hand-over. A version is one count of one source and day; `ledger_kept` names the version that stands.
CREATE TABLE ledger_counts (
  source LowCardinality(String), day Date, version UInt64, tenant UInt32, signal LowCardinality(String), item LowCardinality(String) COMMENT 'the signal itself, or a meter',
  hop LowCardinality(String) COMMENT 'receiving side of the hand-over', hour DateTime('UTC') COMMENT 'UTC hour of occurred-at',
  handed UInt64, taken UInt64, duplicates UInt64, conflicts UInt64,
  handed_sum Decimal(38, 12), taken_sum Decimal(38, 12), duplicate_sum Decimal(38, 12), conflict_sum Decimal(38, 12), handed_seconds UInt64, taken_seconds UInt64,
  reach UInt64 COMMENT 'log offset behind the newest batch of the hour', done UInt64 COMMENT 'log offset behind what the receiving side has read', partition UInt16,
  rule UInt8 COMMENT '1 sums are compared, 2 less may be taken than was handed over'
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (source, day, version, tenant, item, hop, hour)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
