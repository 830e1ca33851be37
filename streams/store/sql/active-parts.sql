-- Parts that make up the tables now. One row a part; `modified` is in seconds.
SELECT table, name, partition_id AS partition, path, toUnixTimestamp(modification_time) AS modified FROM system.parts
WHERE database = currentDatabase() AND active
