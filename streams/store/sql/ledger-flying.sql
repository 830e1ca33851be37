-- Purpose: hours of batches that the telemetry consumer had not committed at the given positions: their rows may not all stand in the tables yet. Asked after the tables were counted.
-- Row grain: signal, tenant, UTC hour. Units: hour in seconds since the epoch. No FINAL: DISTINCT.
WITH positions AS (
  SELECT p.1 AS part, p.2 AS next FROM (SELECT arrayJoin(JSONExtract({positions:String}, 'Array(Tuple(UInt16, UInt64))')) AS p)
)
SELECT DISTINCT t.signal AS signal, t.tenant AS tenant, toUnixTimestamp(t.bucket) AS hour
FROM touched AS t LEFT JOIN positions ON positions.part = t.partition
WHERE t.bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND t.bucket < toDateTime({toHour:UInt32}, 'UTC') AND t.seq >= positions.next
