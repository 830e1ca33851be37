-- Purpose: what delta histograms observed in steps, by bucket.
-- Row grain: one row a (part, step); the series of a part have the same bounds. `slot` counts steps from `start`. Units: observations.
-- Tie-breaks: none. Why FINAL: a resent point would count twice.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part, toFloat64(intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64})) AS slot, arrayMap(c -> toFloat64(c), sumForEach(bucket_counts)) AS counts
FROM histograms FINAL
WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
GROUP BY part, slot
ORDER BY part, slot
