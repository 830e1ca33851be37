-- Hours that the batches in `keys` handed over. One row a (signal, tenant, hour).
SELECT signal, tenant, toUnixTimestamp(bucket) AS hour, any(`partition`) AS partition, max(seq) AS newest FROM touched
WHERE token IN (SELECT token FROM keys) GROUP BY signal, tenant, bucket
