-- Purpose: a quantile that summaries report, averaged over their points in steps: quantiles of different sources do not add up exactly.
-- Row grain: one row a (part, step). `slot` counts steps from `start`. Units: the metric's own. Points without this quantile, or without a finite value for it, are left out.
-- Tie-breaks: none. Why FINAL: a resent point would weigh twice.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS part, toFloat64(intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64})) AS slot,
  avg(quantile_values[arrayFirstIndex(q -> abs(q - {level:Float64}) < 1e-9, quantiles)]) AS value
FROM summaries FINAL
WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
  AND arrayExists(q -> abs(q - {level:Float64}) < 1e-9, quantiles) AND isFinite(quantile_values[arrayFirstIndex(q -> abs(q - {level:Float64}) < 1e-9, quantiles)])
GROUP BY part, slot
ORDER BY part, slot
