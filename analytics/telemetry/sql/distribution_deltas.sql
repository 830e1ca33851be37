-- Purpose: how many observations delta histograms made in steps, their sum and extremes, without their buckets.
-- Row grain: one row a (part, step). `slot` counts steps from `start`. Units: `count` observations, the others the metric's own; an extreme that no point sent is null.
-- Tie-breaks: none. Why FINAL: a resent point would count twice.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part, toFloat64(intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64})) AS slot,
  toFloat64(sum(points.count)) AS count, sum(points.sum) AS sum, minIfOrNull(toFloat64(points.min), isFinite(points.min)) AS min, maxIfOrNull(toFloat64(points.max), isFinite(points.max)) AS max
FROM {table:Identifier} AS points FINAL
WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
GROUP BY part, slot
ORDER BY part, slot
