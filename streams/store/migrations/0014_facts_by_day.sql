-- Billing facts get a key that begins with the day, as metering and the ledger read them: a key cannot be changed, so a new table takes over the rows.
-- Every statement can be run again after any other: rows that came over twice are one row by their key.
CREATE TABLE IF NOT EXISTS billing_facts_by_day (
  tenant UInt32, meter LowCardinality(String), subject String COMMENT 'customer, plugin or series group; empty when the meter has none', bucket DateTime('UTC'),
  value Decimal(38, 12) COMMENT 'sum meters: units; time-weighted meters: unit-seconds', seconds UInt32 COMMENT 'time-weighted meters: measured seconds in the bucket', events UInt64,
  partition UInt16, version UInt64 COMMENT 'highest log offset of the tenant that the row has read'
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(bucket) ORDER BY (toDate(bucket), tenant, meter, bucket, subject, version)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000, index_granularity = 1024;
RENAME TABLE IF EXISTS billing_facts TO billing_facts_by_tenant;
CREATE TABLE IF NOT EXISTS billing_facts_by_tenant AS billing_facts_by_day;
INSERT INTO billing_facts_by_day (tenant, meter, subject, bucket, value, seconds, events, partition, version)
SELECT tenant, meter, subject, bucket, value, seconds, events, partition, version FROM billing_facts_by_tenant;
DROP TABLE billing_facts_by_tenant SYNC SETTINGS max_table_size_to_drop = 0;
RENAME TABLE IF EXISTS billing_facts_by_day TO billing_facts;
