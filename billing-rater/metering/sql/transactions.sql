-- Purpose: usage events of one type in a period, grouped by equal value, as known at a cut-off. Row grain: distinct value.
-- FINAL: an event is one row whatever was re-delivered.
WITH known AS (
  SELECT k.1 AS part, k.2 AS next FROM (SELECT arrayJoin(JSONExtract({known_at:String}, 'Array(Tuple(UInt16, UInt64))')) AS k)
)
SELECT toString(e.value) AS amount, toString(count()) AS transactions
FROM usage_events AS e FINAL INNER JOIN known ON known.part = e.partition
WHERE e.tenant = {tenant:UInt32} AND e.type = {type:String} AND e.time >= toDateTime64({start:UInt32}, 3, 'UTC') AND e.time < toDateTime64({end:UInt32}, 3, 'UTC')
  AND e.offset < known.next
GROUP BY e.value
ORDER BY e.value
