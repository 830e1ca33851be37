-- Purpose: what cumulative histograms observed in steps, by bucket, in one reading: right when no series was reset.
-- Row grain: one row a (part, step); the series of a part have the same bounds. `slot` counts steps from `start`. Units: observations.
-- last - first a series and step: the end of a step is compared with the end of the step before, of the first one with its beginning. `broken` is 1 when the count of a series fell or its
-- start time moved past a point: the caller then asks histogram_steps instead. Tie-breaks: sorted arrays. FINAL is not needed: equal rows are one end.
WITH
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AS before
SELECT part, toFloat64(slot) AS slot, arrayMap(c -> toFloat64(c), sumForEach(observed)) AS counts, max(max(reset)) OVER () AS broken
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part, slot,
    arrayMap((c, p) -> toInt64(c) - toInt64(p), ending, if(row_number() OVER w = 1, beginning, lagInFrame(ending) OVER w)) AS observed,
    toUInt8(arrayExists((n, p, s, t) -> n < p OR s > t, arrayPopFront(counts), arrayPopBack(counts), arrayPopFront(starts), arrayPopBack(times))
      OR (row_number() OVER w > 1 AND (counts[1] < lagInFrame(counts[-1]) OVER w OR starts[1] > lagInFrame(times[-1]) OVER w))) AS reset
  FROM (
    SELECT series, if(toUnixTimestamp64Milli(time) < {start:Int64}, -1, intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64})) AS slot,
      argMin(bucket_counts, time) AS beginning, argMax(bucket_counts, time) AS ending,
      groupArray(toUnixTimestamp64Milli(time)) AS ms, arraySort(ms) AS times, arraySort((n, t) -> t, groupArray(count), ms) AS counts, arraySort((s, t) -> t, groupArray(toUnixTimestamp64Milli(start)), ms) AS starts
    FROM histograms
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi AND bitAnd(flags, 1) = 0
    GROUP BY series, slot
  )
  WINDOW w AS (PARTITION BY series ORDER BY slot ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
GROUP BY part, slot
ORDER BY part, slot
