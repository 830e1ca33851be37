-- Purpose: a quantile of the values of gauges and sums in steps.
-- Row grain: one row a group; `points` as in range_levels. Units: the metric's own; linear between the two neighbouring values (inclusive method).
-- Tie-breaks: equal values are interchangeable. Why FINAL: a resent row would weigh twice. Always from samples: quantiles do not add up from roll-ups.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT grp, arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((at, value)))), ',') AS points, avg(value) AS weight
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp,
    {start:Int64} + intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64}) * {step:Int64} AS at,
    quantileExactInclusive({level:Float64})(value) AS value
  FROM samples FINAL
  WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
    AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi
    AND bitAnd(flags, 1) = 0 AND isFinite(samples.value)
  GROUP BY grp, at
)
GROUP BY grp
ORDER BY weight DESC, grp
LIMIT {limit:UInt32}
