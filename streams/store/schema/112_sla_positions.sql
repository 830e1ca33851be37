-- When the service level job had nothing left to do, a row a log partition: every offset below next is in the masks. A start looks at later batches only.
CREATE TABLE sla_positions (
  partition UInt16, next UInt64
) ENGINE = ReplacingMergeTree(next) ORDER BY partition
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
