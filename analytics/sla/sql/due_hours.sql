-- Purpose: hours of one log partition that committed batches of metrics touched and whose service level was not computed up to their newest batch.
-- Row grain: tenant, UTC hour. Units: hour in seconds since the epoch. max() is insensitive to a repeated hand-over and to older marks, so no FINAL.
WITH fresh AS (
  SELECT tenant, bucket, max(seq) AS newest FROM touched
  WHERE signal = 'metrics' AND `partition` = {partition:UInt16} AND seq >= {from:UInt64} AND seq < {to:UInt64}
  GROUP BY tenant, bucket
)
SELECT f.tenant AS tenant, toUnixTimestamp(f.bucket) AS hour
FROM fresh AS f
LEFT JOIN (SELECT tenant, bucket, max(next) AS reached FROM sla_read WHERE (tenant, bucket) IN (SELECT tenant, bucket FROM fresh) GROUP BY tenant, bucket) AS r
  ON r.tenant = f.tenant AND r.bucket = f.bucket
WHERE f.newest + 1 > r.reached
