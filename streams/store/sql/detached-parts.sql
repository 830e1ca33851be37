-- Parts that the engine set aside because they are damaged. One row a part.
SELECT table, name, partition_id AS partition, path FROM system.detached_parts
WHERE database = currentDatabase() AND startsWith(reason, 'broken')
