-- Purpose: the parts of tables as they are now, and what time they are about. Row grain: active part. Units: seconds since the epoch; 0 and 0 of a table without partitions by time.
SELECT table, name, hash_of_all_files AS hash, toUnixTimestamp(min_time) AS min_time, toUnixTimestamp(max_time) AS max_time
FROM system.parts
WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}
