-- Purpose: which of the ledger's tables are there: one without parts has no rows, one that is gone cannot be read. Row grain: table.
SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN {tables:Array(String)}
