-- Which version of a source's count, or of a day added up (source days), stands, and for which state: the parts of the table that were counted, or the counts that were added up.
CREATE TABLE ledger_kept (
  source LowCardinality(String), day Date, state String, version UInt64, digest UInt64 COMMENT 'of the rows of the version: equal counts have equal digests', rows UInt64, at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(at) ORDER BY (source, day)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000
