-- Active parts of each table, the sum over its partitions. One row a table: what merges have to keep small.
SELECT table, count() AS parts FROM system.parts WHERE database = currentDatabase() AND active GROUP BY table
