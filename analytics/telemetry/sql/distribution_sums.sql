-- Purpose: how many observations cumulative histograms and summaries made in steps, and their sum, without their buckets.
-- Row grain: one row a (part, step). `slot` counts steps from `start`. Units: `count` observations, `sum` the metric's own.
-- The difference to the point before, the whole point after a reset (the count fell, or the start time moved past the point before); a first point without a predecessor gives nothing.
-- Tie-breaks: sorted arrays. FINAL is not needed: an equal row adds nothing.
WITH
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AS before
SELECT part, toFloat64(intDiv(step.1 - {start:Int64}, {step:Int64})) AS slot, sum(step.2) AS count, sum(step.3) AS sum
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part,
    groupArray(toUnixTimestamp64Milli(time)) AS ms, arraySort(ms) AS times, arraySort((n, t) -> t, groupArray(toFloat64(count)), ms) AS counts,
    arraySort((n, t) -> t, groupArray(points.sum), ms) AS sums, arraySort((s, t) -> t, groupArray(toUnixTimestamp64Milli(start)), ms) AS starts,
    arrayMap((n, p, s, t) -> n < p OR s > t, counts, arrayPushFront(arrayPopBack(counts), counts[1]), starts, arrayPushFront(arrayPopBack(times), times[1] + 315360000000000)) AS resets,
    arrayJoin(arrayZip(times, arrayMap((n, p, r) -> if(r, n, n - p), counts, arrayPushFront(arrayPopBack(counts), counts[1]), resets),
      arrayMap((n, p, r) -> if(r, n, n - p), sums, arrayPushFront(arrayPopBack(sums), sums[1]), resets))) AS step
  FROM {table:Identifier} AS points
  WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi AND bitAnd(flags, 1) = 0
  GROUP BY series
)
WHERE step.1 >= {start:Int64}
GROUP BY part, slot
HAVING count > 0
ORDER BY part, slot
