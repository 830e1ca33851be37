-- Purpose: what histograms observed in steps, as buckets that add up.
-- Row grain: one row a (group, step, bounds): series with other bounds stay apart here and are merged by the caller.
-- Units: `counts` and `count` observations, `sum` the metric's own. Cumulative series give the difference to their previous point (the whole point after a reset:
-- a count that fell), delta series give themselves. The first point of a cumulative series without a predecessor gives nothing.
-- Tie-breaks: one row a series and millisecond under FINAL. Why FINAL: a resent delta point would count twice.
WITH
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AS before,
  chosen AS (
    SELECT series, any(temporality) = 'delta' AS delta, any(s.bounds) AS bounds, any(if({groupBy:String} = '', '', attributes[{groupBy:String}])) AS grp
    FROM series AS s WHERE tenant = {tenant:UInt32} AND metric = {metric:String} AND kind = 'histogram' GROUP BY series
  ),
  edged AS (
    SELECT series, toUnixTimestamp64Milli(time) AS ms, toFloat64(h.count) AS n, h.sum AS total, toFloat64(h.min) AS lowest, toFloat64(h.max) AS highest,
      arrayMap(c -> toFloat64(c), h.bucket_counts) AS buckets,
      lagInFrame(n) OVER w AS previous_n, lagInFrame(total) OVER w AS previous_total, lagInFrame(buckets) OVER w AS previous_buckets, row_number() OVER w AS position
    FROM histograms AS h FINAL
    WHERE tenant = {tenant:UInt32} AND series IN (SELECT series FROM chosen)
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi AND bitAnd(flags, 1) = 0
    WINDOW w AS (PARTITION BY series ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  ),
  observed AS (
    SELECT grp, ms, bounds, delta, lowest, highest,
      NOT delta AND position > 1 AND n >= previous_n AND length(buckets) = length(previous_buckets) AS difference,
      if(difference, n - previous_n, n) AS seen, if(difference, total - previous_total, total) AS seen_total,
      if(difference, arrayMap((c, p) -> c - p, buckets, arrayResize(previous_buckets, length(buckets), 0.)), buckets) AS seen_buckets
    FROM edged INNER JOIN chosen USING (series)
    WHERE ms >= {start:Int64} AND (delta OR position > 1)
  )
SELECT grp, toFloat64(intDiv(ms - {start:Int64}, {step:Int64})) AS slot, bounds, sum(seen) AS count, sum(seen_total) AS sum,
  minIf(lowest, delta AND isFinite(lowest)) AS min, maxIf(highest, delta AND isFinite(highest)) AS max, toFloat64(countIf(delta AND isFinite(lowest) AND isFinite(highest))) AS extremes,
  sumForEach(seen_buckets) AS counts
FROM observed
GROUP BY grp, slot, bounds
ORDER BY grp, slot, bounds
SETTINGS do_not_merge_across_partitions_select_final = 1
