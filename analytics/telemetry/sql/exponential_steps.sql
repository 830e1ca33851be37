-- Purpose: the ends of each step of cumulative exponential histograms with the end before, for the caller to subtract: scales differ from point to point.
-- Row grain: one row a (series, step, stretch between resets); `whole` is 1 when nothing is to be subtracted, because a reset lies between. `slot` counts steps from `start`. Units: observations.
-- Tie-breaks: one point a series and time. FINAL is not needed: equal rows are one end.
WITH
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AS before,
  cuts AS (
    -- When each series began and was reset, from its light columns only.
    SELECT series, times[1] AS first_ms, arrayFilter((t, r) -> r, times, resets) AS reset_at
    FROM (
      SELECT series, groupArray(toUnixTimestamp64Milli(time)) AS ms, arraySort(ms) AS times, arraySort((n, t) -> t, groupArray(count), ms) AS counts, arraySort((s, t) -> t, groupArray(toUnixTimestamp64Milli(start)), ms) AS starts,
        arrayMap((n, p, s, t) -> n < p OR s > t, counts, arrayPushFront(arrayPopBack(counts), counts[1]), starts, arrayPushFront(arrayPopBack(times), times[1] + 315360000000000)) AS resets
      FROM exponential_histograms
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi AND bitAnd(flags, 1) = 0
      GROUP BY series
    )
  )
SELECT part, slot, whole, later, if(whole = 1, later, earlier) AS earlier
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part, toFloat64(slot) AS slot, ending AS later, lagInFrame(ending) OVER w AS earlier, toUInt8(epoch != lagInFrame(epoch) OVER w) AS whole, row_number() OVER w AS position
  FROM (
    SELECT series, ms = first_ms AS base, if(ms < {start:Int64}, -1, intDiv(ms - {start:Int64}, {step:Int64})) AS slot, arrayCount(t -> t <= ms, reset_at) AS epoch, argMax(buckets, ms) AS ending
    FROM (
      SELECT series, toUnixTimestamp64Milli(time) AS ms,
        (scale, toFloat64(zero_count), zero_threshold, positive_offset, arrayMap(c -> toFloat64(c), positive_counts), negative_offset, arrayMap(c -> toFloat64(c), negative_counts)) AS buckets
      FROM exponential_histograms WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi AND bitAnd(flags, 1) = 0
    ) AS points
    INNER JOIN cuts USING (series)
    GROUP BY series, base, slot, epoch
  )
  WINDOW w AS (PARTITION BY series ORDER BY base DESC, slot, epoch ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WHERE position > 1 AND slot >= 0
ORDER BY part, slot
