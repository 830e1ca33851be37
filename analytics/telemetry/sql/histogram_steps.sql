-- Purpose: what cumulative histograms observed in steps, by bucket.
-- Row grain: one row a (part, step); the series of a part have the same bounds. `slot` counts steps from `start`. Units: observations.
-- Only the last point of each step and of each stretch between resets is compared with the one before: last - first a series and step. The first point of a series lends its predecessor only.
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
      FROM histograms
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi AND bitAnd(flags, 1) = 0
      GROUP BY series
    )
  )
SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part, slot, sumForEach(observed) AS counts
FROM (
  SELECT series, toFloat64(slot) AS slot, arrayMap(c -> toFloat64(c), ending) AS buckets, epoch,
    lagInFrame(buckets) OVER w AS previous, lagInFrame(epoch) OVER w AS previous_epoch, row_number() OVER w AS position,
    if(epoch = previous_epoch AND length(buckets) = length(previous), arrayMap((c, p) -> greatest(c - p, 0.), buckets, arrayResize(previous, length(buckets), 0.)), buckets) AS observed
  FROM (
    SELECT series, ms = first_ms AS base, if(ms < {start:Int64}, -1, intDiv(ms - {start:Int64}, {step:Int64})) AS slot, arrayCount(t -> t <= ms, reset_at) AS epoch, argMax(bucket_counts, ms) AS ending
    FROM (SELECT series, toUnixTimestamp64Milli(time) AS ms, bucket_counts FROM histograms WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi AND bitAnd(flags, 1) = 0) AS points
    INNER JOIN cuts USING (series)
    GROUP BY series, base, slot, epoch
  )
  WINDOW w AS (PARTITION BY series ORDER BY base DESC, slot, epoch ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WHERE position > 1 AND slot >= 0
GROUP BY part, slot
ORDER BY part, slot
