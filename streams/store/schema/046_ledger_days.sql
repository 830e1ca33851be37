-- The kept ledger's days, added up: one row a day, tenant, signal or meter, and hand-over. Only days of which nothing is pending.
CREATE TABLE ledger_days (
  day Date, version UInt64, tenant UInt32, item LowCardinality(String), hop LowCardinality(String),
  hours UInt32, balanced UInt32, pending UInt32, mismatched UInt32, handed UInt64, taken UInt64, duplicates UInt64, conflicts UInt64,
  handed_sum Decimal(38, 12), taken_sum Decimal(38, 12), duplicate_sum Decimal(38, 12), conflict_sum Decimal(38, 12), exact UInt8 COMMENT 'sums are compared'
) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (day, version, tenant, item, hop)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
