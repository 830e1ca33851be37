-- Purpose: how sure the figures of metric and counter meters are: what was told apart in the series behind them. Row grain: metric.
-- Units: seconds. Edges between hours belong to the later hour; a series silent for more than 24 hours begins anew. Unknown starts are those of sums: a level has none.
-- FINAL: the newest version of an hour counts.
SELECT metric, toString(uniqExact(series)) AS series, toString(sum(resets)) AS resets, toString(sum(unknown)) AS unknown_starts, toString(sum(silences)) AS gaps, toString(sum(silent)) AS gap_seconds,
  toString(sum(overlaps)) AS overlaps, toString(sum(late)) AS late
FROM (
  SELECT own.metric AS metric, h.series AS series, h.bucket AS bucket, h.overlaps AS overlaps, h.late AS late,
    dateDiff('second', h.previous_time, h.first_time) AS apart, h.previous_bucket >= h.bucket - 86400 AS continues,
    h.resets + toUInt64(own.counter AND continues AND h.first_start > h.previous_start AND h.first_start >= h.previous_time) AS resets,
    h.unknown_starts + toUInt64(own.counter AND NOT continues AND NOT (h.first_start >= h.bucket - 86400 AND h.first_start < h.first_time)) AS unknown,
    h.gaps + toUInt64(continues AND apart > 300) AS silences, h.gap_seconds + if(continues AND apart > 300, apart, 0) AS silent
  FROM (
    SELECT series, bucket, first_time, first_start, resets, unknown_starts, gaps, gap_seconds, overlaps, late,
      lagInFrame(bucket) OVER w AS previous_bucket, lagInFrame(last_time) OVER w AS previous_time, lagInFrame(last_start) OVER w AS previous_start
    FROM series_hour FINAL
    WHERE tenant = {tenant:UInt32} AND bucket >= toDateTime({start:UInt32}, 'UTC') - 86400 AND bucket < toDateTime({end:UInt32}, 'UTC')
      AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM series WHERE tenant = {tenant:UInt32} AND metric IN (SELECT arrayJoin(JSONExtract({metrics:String}, 'Array(String)'))))
    WINDOW w AS (PARTITION BY series ORDER BY bucket ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
  ) AS h
  INNER JOIN (
    SELECT series, metric, kind = 'sum' AND monotonic AND temporality = 'cumulative' AS counter FROM series FINAL
    WHERE tenant = {tenant:UInt32} AND metric IN (SELECT arrayJoin(JSONExtract({metrics:String}, 'Array(String)')))
  ) AS own ON own.series = h.series
  WHERE h.bucket >= toStartOfHour(toDateTime({start:UInt32}, 'UTC'))
)
GROUP BY metric
