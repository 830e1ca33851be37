-- Who the numbers are that every other table knows tenants by: a copy of the control plane's list, for people and dashboards that query the engine. Nothing that counts is computed from it; the highest version counts.
CREATE TABLE IF NOT EXISTS tenants (
  tenant UInt32, id String COMMENT 'public id', name String, tier LowCardinality(String), plan LowCardinality(String), region LowCardinality(String),
  currency LowCardinality(String), time_zone LowCardinality(String), partner String COMMENT 'empty when there is none', state LowCardinality(String) COMMENT 'active, suspended, cancelled',
  created DateTime('UTC'), version UInt64 COMMENT 'milliseconds since the epoch when the row was copied'
) ENGINE = ReplacingMergeTree(version) ORDER BY tenant
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;
