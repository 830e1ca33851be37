-- Purpose: facts of time-weighted meters for the given tenant-hours, recomputed from deduplicated samples.
-- Row grain: tenant, meter, 15-minute bucket; every bucket of a given hour gets a row, so that a bucket which lost its samples becomes 0.
-- Units: value = unit-seconds, exact (a double is taken by its shortest decimal text, then multiplied by whole seconds); seconds = measured seconds.
-- Rule: series with equal point attributes are one group, in which the newest sample holds until the next one, at most 900 s; groups add up;
--   a sample counts from its whole second on. A sample without a usable value (no recorded value, inexact integer, not finite, 1e18 and beyond) ends the hold; a late one is as if it had not come.
-- Only what differs from the newest fact of a bucket is appended: a live hour is computed again and again, and its past quarters do not change.
-- Tie-breaks: within a second the latest time, then the highest series id. FINAL: a resent or rewritten point counts once.
-- Nothing is written when another run has been completed since this one began: the facts of a completed position never change.
INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version)
WITH
  hours AS (
    SELECT h.1 AS tenant, h.2 AS hour, h.3 AS version, h.4 AS part
    FROM (SELECT arrayJoin(JSONExtract({hours:String}, 'Array(Tuple(UInt32, UInt32, UInt64, UInt16, UInt64, UInt64))')) AS h)
    WHERE h.6 = (SELECT mapFromArrays(groupArray(partition), groupArray(next)) FROM (SELECT partition, max(next) AS next FROM metered_positions GROUP BY partition))[h.4]
  ),
  metrics AS (
    SELECT m.1 AS metric, m.2 AS meter FROM (SELECT arrayJoin(JSONExtract({metrics:String}, 'Array(Tuple(String, String))')) AS m)
  ),
  grouped AS (
    SELECT s.tenant AS tenant, s.series AS series, metrics.meter AS meter,
      sipHash64(arraySort(arrayFilter(item -> NOT startsWith(item, 'resource.'), s.items))) AS label
    FROM series AS s FINAL INNER JOIN metrics ON metrics.metric = s.metric
    WHERE s.tenant IN (SELECT tenant FROM hours) AND s.metric IN (SELECT metric FROM metrics)
  ),
  points AS (
    SELECT p.tenant AS tenant, grouped.meter AS meter, grouped.label AS label, toInt64(toUnixTimestamp(p.time)) AS second,
      argMax((p.value, p.flags), (p.time, p.series)) AS latest
    FROM samples AS p FINAL INNER JOIN grouped ON grouped.tenant = p.tenant AND grouped.series = p.series
    WHERE p.tenant IN (SELECT tenant FROM hours) AND p.series IN (SELECT series FROM grouped)
      AND toStartOfHour(p.time) >= toDateTime({from:UInt32} - 3600, 'UTC')
      AND p.time >= toDateTime64({from:UInt32} - 900, 3, 'UTC') AND p.time < toDateTime64({to:UInt32}, 3, 'UTC')
      AND bitAnd(p.flags, 4) = 0
    GROUP BY tenant, meter, label, second
  ),
  held AS (
    SELECT tenant, meter, label, second, latest,
      least(second + 900, leadInFrame(second, 1, second + 900) OVER (
        PARTITION BY tenant, meter, label ORDER BY second ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS finish
    FROM points
  ),
  pieces AS (
    SELECT tenant, meter, quarter, greatest(second, quarter) AS begins, least(finish, quarter + 900) AS ends,
      toDecimal256(toString(latest.1), 12) AS amount, toUInt64(second >= quarter) AS samples
    FROM held ARRAY JOIN [intDiv(second, 900) * 900, intDiv(second, 900) * 900 + 900] AS quarter
    WHERE ends > begins AND bitAnd(latest.2, 3) = 0 AND isFinite(latest.1) AND abs(latest.1) < 1e18
  ),
  buckets AS (
    SELECT tenant, meter, quarter, sum(amount * (ends - begins)) AS value, intervalLengthSum(begins, ends) AS seconds, sum(samples) AS events
    FROM pieces GROUP BY tenant, meter, quarter
  ),
  newest AS (
    SELECT tenant, meter, bucket, argMax(value, version) AS value, argMax(seconds, version) AS seconds, argMax(events, version) AS events, count() AS versions
    FROM billing_facts
    WHERE tenant IN (SELECT tenant FROM hours) AND meter IN (SELECT meter FROM metrics)
      AND bucket >= toDateTime({from:UInt32}, 'UTC') AND bucket < toDateTime({to:UInt32}, 'UTC') AND subject = ''
    GROUP BY tenant, meter, bucket
  ),
  wanted AS (
    SELECT hours.tenant AS tenant, own.meter AS meter, toInt64(hours.hour) + step AS quarter, hours.part AS part, hours.version AS version
    FROM hours INNER JOIN (SELECT DISTINCT tenant, meter FROM grouped) AS own ON own.tenant = hours.tenant
    ARRAY JOIN [0, 900, 1800, 2700] AS step
  )
SELECT facts.*
FROM (
  SELECT wanted.tenant AS tenant, wanted.meter AS meter, '' AS subject, toDateTime(wanted.quarter, 'UTC') AS bucket, toDecimal128(buckets.value, 12) AS value,
    toUInt32(buckets.seconds) AS seconds, toUInt64(buckets.events) AS events, wanted.part AS partition, wanted.version AS version
  FROM wanted LEFT JOIN buckets ON buckets.tenant = wanted.tenant AND buckets.meter = wanted.meter AND buckets.quarter = wanted.quarter
) AS facts
LEFT JOIN newest ON newest.tenant = facts.tenant AND newest.meter = facts.meter AND newest.bucket = facts.bucket
WHERE newest.versions = 0 OR (facts.value, facts.seconds, facts.events) != (newest.value, newest.seconds, newest.events)
