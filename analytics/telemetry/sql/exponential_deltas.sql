-- Purpose: what delta exponential histograms observed in steps, by bucket.
-- Row grain: one row a (part, step, scale); buckets as (indices, counts). `slot` counts steps from `start`. Units: observations.
-- Tie-breaks: none. Why FINAL: a resent point would count twice.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part, toFloat64(intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64})) AS slot, scale,
  toFloat64(sum(zero_count)) AS zero, max(zero_threshold) AS threshold,
  sumMap(arrayMap((c, i) -> toInt32(positive_offset + i - 1), positive_counts, arrayEnumerate(positive_counts)), arrayMap(c -> toFloat64(c), positive_counts)) AS positive,
  sumMap(arrayMap((c, i) -> toInt32(negative_offset + i - 1), negative_counts, arrayEnumerate(negative_counts)), arrayMap(c -> toFloat64(c), negative_counts)) AS negative
FROM exponential_histograms FINAL
WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
GROUP BY part, slot, scale
ORDER BY part, slot, scale
