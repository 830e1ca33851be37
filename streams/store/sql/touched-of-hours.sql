-- Batches that handed over records of the hours in `keys`. One row a batch and partition.
SELECT DISTINCT token, partition FROM touched
WHERE (signal, tenant, bucket) IN (SELECT signal, tenant, toDateTime(hour, 'UTC') FROM keys)
