-- Append-only billing facts: one row a tenant, meter, subject, 15-minute bucket and version. The highest version up to a known-at cut-off counts.
-- The key begins with the day: metering and the ledger read days of all tenants. Granules are small, so that a tenant's month, of which each day has a piece, is read without much else.
CREATE TABLE billing_facts (
  tenant UInt32, meter LowCardinality(String), subject String COMMENT 'customer, plugin or series group; empty when the meter has none', bucket DateTime('UTC'),
  value Decimal(38, 12) COMMENT 'sum meters: units; time-weighted meters: unit-seconds', seconds UInt32 COMMENT 'time-weighted meters: measured seconds in the bucket', events UInt64,
  partition UInt16, version UInt64 COMMENT 'highest log offset of the tenant that the row has read'
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(bucket) ORDER BY (toDate(bucket), tenant, meter, bucket, subject, version)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024
