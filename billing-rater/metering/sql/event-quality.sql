-- Purpose: usage events of a tenant by type in a period: how many, how many of them long after they occurred (scope backfill), and how many came again under a known identity with other content.
-- Row grain: event type. FINAL: an event, or a conflict, is one row whatever was re-delivered.
SELECT type, toString(sum(events)) AS events, toString(sum(late)) AS late, toString(sum(conflicts)) AS conflicts
FROM (
  SELECT type, count() AS events, countIf(late) AS late, toUInt64(0) AS conflicts FROM usage_events FINAL
  WHERE tenant = {tenant:UInt32} AND time >= toDateTime64({start:UInt32}, 3, 'UTC') AND time < toDateTime64({end:UInt32}, 3, 'UTC')
  GROUP BY type
  UNION ALL
  SELECT JSONExtractString(payload, 'type') AS type, 0, 0, count() FROM usage_conflicts FINAL
  WHERE tenant = {tenant:UInt32} AND parseDateTime64BestEffortOrZero(JSONExtractString(payload, 'time'), 3, 'UTC') >= toDateTime64({start:UInt32}, 3, 'UTC')
    AND parseDateTime64BestEffortOrZero(JSONExtractString(payload, 'time'), 3, 'UTC') < toDateTime64({end:UInt32}, 3, 'UTC')
  GROUP BY type
)
GROUP BY type
