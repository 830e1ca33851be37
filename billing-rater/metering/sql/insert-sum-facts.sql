-- Purpose: facts of sum meters for the given tenant-hours, recomputed from deduplicated usage events up to the log position that the run reads to.
-- Row grain: tenant, meter, subject (when the meter counts by subject), 15-minute bucket. Units: value = sum of the events' values, exact decimals.
-- Only what differs from the newest fact of a bucket is appended.
-- FINAL: an event is one row whatever was re-delivered.
-- Nothing is written when another run has been completed since this one began: the facts of a completed position never change.
INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version)
WITH
  hours AS (
    SELECT h.1 AS tenant, h.2 AS hour, h.3 AS version, h.4 AS part, h.5 AS position
    FROM (SELECT arrayJoin(JSONExtract({hours:String}, 'Array(Tuple(UInt32, UInt32, UInt64, UInt16, UInt64, UInt64))')) AS h)
    WHERE h.6 = (SELECT mapFromArrays(groupArray(partition), groupArray(next)) FROM (SELECT partition, max(next) AS next FROM metered_positions GROUP BY partition))[h.4]
  ),
  types AS (
    SELECT t.1 AS type, t.2 AS meter, t.3 AS by_subject
    FROM (SELECT arrayJoin(JSONExtract({types:String}, 'Array(Tuple(String, String, UInt8))')) AS t)
  ),
  newest AS (
    SELECT tenant, meter, subject, bucket, argMax(value, version) AS value, argMax(events, version) AS events, count() AS versions
    FROM billing_facts
    WHERE tenant IN (SELECT tenant FROM hours) AND meter IN (SELECT meter FROM types)
      AND bucket >= toDateTime({from:UInt32}, 'UTC') AND bucket < toDateTime({to:UInt32}, 'UTC')
    GROUP BY tenant, meter, subject, bucket
  )
SELECT facts.*
FROM (
  SELECT e.tenant AS tenant, types.meter AS meter, if(types.by_subject = 1, e.subject, '') AS subject, toStartOfFifteenMinutes(e.time) AS bucket,
    toDecimal128(sum(toDecimal256(e.value, 12)), 12) AS value, toUInt32(0) AS seconds, count() AS events, any(hours.part) AS partition, any(hours.version) AS version
  FROM usage_events AS e FINAL
  INNER JOIN hours ON hours.tenant = e.tenant AND hours.hour = toUnixTimestamp(toStartOfHour(e.time))
  INNER JOIN types ON types.type = e.type
  WHERE e.tenant IN (SELECT tenant FROM hours) AND e.type IN (SELECT type FROM types)
    AND e.time >= toDateTime64({from:UInt32}, 3, 'UTC') AND e.time < toDateTime64({to:UInt32}, 3, 'UTC') AND e.offset < hours.position
  GROUP BY tenant, meter, subject, bucket
) AS facts
LEFT JOIN newest ON newest.tenant = facts.tenant AND newest.meter = facts.meter AND newest.subject = facts.subject AND newest.bucket = facts.bucket
WHERE newest.versions = 0 OR (facts.value, facts.events) != (newest.value, newest.events)
