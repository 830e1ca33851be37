-- Purpose: the usage events behind facts of a sum meter, as known at a cut-off. Row grain: event. FINAL: an event is one row whatever was re-delivered.
WITH known AS (
  SELECT k.1 AS part, k.2 AS next FROM (SELECT arrayJoin(JSONExtract({known_at:String}, 'Array(Tuple(UInt16, UInt64))')) AS k)
)
SELECT e.source AS source, e.id AS id, e.subject AS subject, formatDateTime(e.time, '%FT%T.%fZ', 'UTC') AS occurred_at, toString(e.value) AS value,
  formatDateTime(e.received, '%FT%T.%fZ', 'UTC') AS received_at, e.partition AS log_partition, toString(e.offset) AS log_offset
FROM usage_events AS e FINAL INNER JOIN known ON known.part = e.partition
WHERE e.tenant = {tenant:UInt32} AND e.type = {type:String} AND e.time >= toDateTime64({start:UInt32}, 3, 'UTC') AND e.time < toDateTime64({end:UInt32}, 3, 'UTC')
  AND e.offset < known.next
ORDER BY e.time, e.source, e.id
LIMIT {limit:UInt32} OFFSET {skip:UInt32}
