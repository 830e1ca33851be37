-- Purpose: facts of counter meters for the given tenant-hours, recomputed from deduplicated samples.
-- Row grain: tenant, meter, subject (the point attributes), 15-minute bucket. Units: value = growth, exact decimals (a double is taken by its shortest decimal text); seconds = measured seconds;
--   events = points counted. A point's growth belongs to the bucket it falls in.
-- Rule: cumulative monotonic sums by counter_steps, one writer at a time, an hour looking one hour back and 15 minutes ahead: a series silent for longer than the hour before begins anew;
--   a known start counts from zero when it is in the hour or the one before. Delta sums are added up, without a point whose interval begins before the point before it.
--   A point without a usable value (no recorded value, inexact integer, not finite, 1e18 and beyond) and a late one are left out.
-- A given hour brings the one before with it, because a fall is decided by the points of the following minutes.
-- Only what differs from the newest fact of a bucket is appended; a bucket that lost its points becomes 0. FINAL: a resent or rewritten point counts once.
-- Nothing is written when another run has been completed since this one began: the facts of a completed position never change.
INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version)
WITH
  hours AS (
    SELECT tenant, hour, max(version) AS version, any(part) AS part
    FROM (
      SELECT h.1 AS tenant, toInt64(h.2) AS given, h.3 AS version, h.4 AS part
      FROM (SELECT arrayJoin(JSONExtract({hours:String}, 'Array(Tuple(UInt32, UInt32, UInt64, UInt16, UInt64, UInt64))')) AS h)
      WHERE h.6 = (SELECT mapFromArrays(groupArray(partition), groupArray(next)) FROM (SELECT partition, max(next) AS next FROM metered_positions GROUP BY partition))[h.4]
    ) ARRAY JOIN [given - 3600, given] AS hour
    GROUP BY tenant, hour
  ),
  metrics AS (
    SELECT m.1 AS metric, m.2 AS meter FROM (SELECT arrayJoin(JSONExtract({counters:String}, 'Array(Tuple(String, String))')) AS m)
  ),
  grouped AS (
    SELECT s.tenant AS tenant, s.series AS series, metrics.meter AS meter, s.temporality = 'delta' AS delta,
      arrayStringConcat(arraySort(arrayFilter(item -> NOT startsWith(item, 'resource.'), s.items)), ' ') AS label
    FROM series AS s FINAL INNER JOIN metrics ON metrics.metric = s.metric
    WHERE s.tenant IN (SELECT tenant FROM hours) AND s.metric IN (SELECT metric FROM metrics) AND s.kind = 'sum' AND s.monotonic
  ),
  seen AS (
    SELECT p.tenant AS tenant, p.series AS series, toUnixTimestamp64Milli(p.time) AS ms, p.value AS value, if(p.start > p.time, toInt64(0), toUnixTimestamp64Milli(p.start)) AS start,
      toInt64(toUnixTimestamp(toStartOfHour(p.time))) AS own
    FROM samples AS p FINAL
    WHERE p.tenant IN (SELECT tenant FROM hours) AND p.series IN (SELECT series FROM grouped)
      AND toStartOfHour(p.time) >= toDateTime({from:UInt32} - 7200, 'UTC') AND toStartOfHour(p.time) <= toDateTime({to:UInt32}, 'UTC')
      AND p.time >= toDateTime64({from:UInt32} - 7200, 3, 'UTC') AND p.time < toDateTime64({to:UInt32} + 900, 3, 'UTC')
      AND bitAnd(p.flags, 7) = 0 AND isFinite(p.value) AND abs(p.value) < 1e18
  ),
  windows AS (
    SELECT tenant, series, hour, arraySort(groupArray((ms, value, start))) AS points
    FROM seen ARRAY JOIN if(ms < own * 1000 + 900000, [own, own + 3600, own - 3600], [own, own + 3600]) AS hour
    WHERE (tenant, hour) IN (SELECT tenant, hour FROM hours)
    GROUP BY tenant, series, hour
  ),
  steps AS (
    SELECT tenant, meter, label, hour, before, delta, added, points, since
    FROM (
      SELECT w.tenant AS tenant, grouped.meter AS meter, grouped.label AS label, grouped.delta AS delta, w.hour AS hour, w.hour * 1000 - 3600000 AS since,
        arrayMap(p -> p.1, arraySlice(arrayPushFront(w.points, w.points[1]), 1, length(w.points))) AS before,
        if(delta, [], w.points) AS points,
        arrayMap((p, q, i) -> (if(i > 1 AND p.3 > 0 AND p.3 < q - 1000, nan, 0), toUInt8(0), p.1, p.2), w.points, before, arrayEnumerate(w.points)) AS added
      FROM windows AS w INNER JOIN grouped ON grouped.tenant = w.tenant AND grouped.series = w.series
    )
  ),
  pieces AS (
    SELECT tenant, meter, label, quarter, greatest(begins, quarter) AS starts, least(ends, quarter + 900) AS finishes,
      if(quarter = intDiv(ends, 900) * 900 AND isFinite(answer.1), toDecimal256(toString(answer.4), 12) - toDecimal256(toString(answer.1), 12), toDecimal256(0, 12)) AS growth,
      toUInt64(quarter = intDiv(ends, 900) * 900 AND isFinite(answer.1)) AS counted
    FROM (
      SELECT tenant, meter, label, hour, both.1 AS answer, both.2 AS previous, intDiv(answer.3, 1000) AS ends,
        if(isFinite(answer.1) AND answer.3 - previous <= 300000, intDiv(previous, 1000), ends) AS begins
      FROM (SELECT tenant, meter, label, hour, arrayJoin(arrayZip(if(delta, added, counter_steps(points, since)), before)) AS both FROM steps)
      WHERE answer.3 >= hour * 1000 AND answer.3 < hour * 1000 + 3600000 + 300000
    ) ARRAY JOIN arrayDistinct([intDiv(begins, 900) * 900, intDiv(ends, 900) * 900]) AS quarter
    WHERE quarter >= hour AND quarter < hour + 3600
  ),
  computed AS (
    SELECT tenant, meter, label AS subject, toDateTime(quarter, 'UTC') AS bucket, sum(growth) AS value, toUInt32(intervalLengthSum(starts, finishes)) AS seconds, sum(counted) AS events
    FROM pieces GROUP BY tenant, meter, subject, bucket
  ),
  newest AS (
    SELECT tenant, meter, subject, bucket, argMax(value, version) AS value, argMax(seconds, version) AS seconds, argMax(events, version) AS events
    FROM billing_facts
    WHERE tenant IN (SELECT tenant FROM hours) AND meter IN (SELECT meter FROM metrics)
      AND bucket >= toDateTime({from:UInt32} - 3600, 'UTC') AND bucket < toDateTime({to:UInt32}, 'UTC')
      AND (tenant, toInt64(toUnixTimestamp(toStartOfHour(bucket)))) IN (SELECT tenant, hour FROM hours)
    GROUP BY tenant, meter, subject, bucket
  )
SELECT facts.tenant, facts.meter, facts.subject, facts.bucket, toDecimal128(facts.new.1, 12), facts.new.2, facts.new.3, hours.part, hours.version
FROM (
  SELECT tenant, meter, subject, bucket, (sumIf(value, fresh), sumIf(seconds, fresh)::UInt32, sumIf(events, fresh)) AS new, (sumIf(value, NOT fresh), sumIf(seconds, NOT fresh)::UInt32, sumIf(events, NOT fresh)) AS old
  FROM (
    SELECT tenant, meter, subject, bucket, value, seconds, events, true AS fresh FROM computed
    UNION ALL SELECT tenant, meter, subject, bucket, toDecimal256(value, 12), seconds, events, false FROM newest
  )
  GROUP BY tenant, meter, subject, bucket
  HAVING new != old
) AS facts
INNER JOIN hours ON hours.tenant = facts.tenant AND hours.hour = toInt64(toUnixTimestamp(toStartOfHour(facts.bucket)))
