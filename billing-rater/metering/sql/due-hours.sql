-- Purpose: hours that batches of the given log ranges touched and that were not metered up to their newest batch, and hours refused before.
-- Row grain: signal, tenant, UTC hour. Units: hour in seconds since the epoch. No FINAL on the ledger: a repeated row changes no maximum; FINAL on metered: the newest mark of an hour counts.
WITH ranges AS (
  SELECT r.1 AS part, r.2 AS low, r.3 AS high FROM (SELECT arrayJoin(JSONExtract({ranges:String}, 'Array(Tuple(UInt16, UInt64, UInt64))')) AS r)
)
SELECT signal, tenant, hour, max(version) AS version, any(partition) AS partition
FROM (
SELECT d.signal AS signal, d.tenant AS tenant, toUnixTimestamp(d.bucket) AS hour, d.newest AS version, d.part AS partition
FROM (
  SELECT t.signal AS signal, t.tenant AS tenant, t.bucket AS bucket, max(t.seq) AS newest, any(t.partition) AS part
  FROM touched AS t INNER JOIN ranges ON ranges.part = t.partition
  WHERE t.signal IN ('metrics', 'events') AND t.seq >= ranges.low AND t.seq < ranges.high
  GROUP BY signal, tenant, bucket
) AS d
LEFT JOIN (SELECT signal, tenant, bucket, max(next) AS reached FROM metered GROUP BY signal, tenant, bucket) AS m
  ON m.signal = d.signal AND m.tenant = d.tenant AND m.bucket = d.bucket
WHERE d.newest + 1 > m.reached
UNION ALL
SELECT signal, tenant, toUnixTimestamp(bucket), toUInt64(next - 1), partition FROM metered FINAL WHERE refused != ''
)
GROUP BY signal, tenant, hour
ORDER BY hour, tenant, signal
