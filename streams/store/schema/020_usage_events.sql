-- One row a usage event, deduplicated before the insert by (tenant, source, id). Kept from its receipt as long as the limits of its tenant said then.
CREATE TABLE usage_events (
  tenant UInt32, type LowCardinality(String) COMMENT 'CloudEvents type; a meter selects types', source String, id String,
  subject String COMMENT 'the customer or plugin counted', time DateTime64(3, 'UTC') COMMENT 'occurred-at', value Decimal(38, 12),
  attributes Map(LowCardinality(String), String), received DateTime64(3, 'UTC'), late Bool COMMENT 'occurred more than 32 days before it was received, under scope backfill',
  partition UInt16 COMMENT 'log partition', offset UInt64 COMMENT 'log offset: the known-at of this event',
  retention_days UInt16 DEFAULT 400
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(time) ORDER BY (tenant, type, time, source, id)
TTL toDate32(received) + toIntervalDay(retention_days)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
