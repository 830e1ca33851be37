-- Hours of one log partition that hold committed hand-overs of metrics newer than their last roll-up. One row a (tenant, hour).
-- points: all points ever handed over in the hour, an upper bound of what a roll-up reads. FINAL: a hand-over written twice counts once.
SELECT t.tenant AS tenant, toUnixTimestamp(t.bucket) AS hour, t.points AS points
FROM (
  SELECT tenant, bucket, max(seq) AS newest, sum(logged) AS points
  FROM touched FINAL
  WHERE signal = 'metrics' AND `partition` = {partition:UInt16} AND seq <= {upTo:UInt64}
  GROUP BY tenant, bucket
  HAVING newest >= {from:UInt64}
) AS t
LEFT ANY JOIN (SELECT tenant, bucket, version + 1 AS next FROM rolled FINAL WHERE signal = 'metrics') AS r
  ON t.tenant = r.tenant AND t.bucket = r.bucket
WHERE t.newest >= r.next
