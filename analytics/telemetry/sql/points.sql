-- Purpose: samples of a metric as they are stored, in the order of the table.
-- Row grain: one row a (hour, series, at most 10,000 points); `points` is the inside of a JSON array of [ms, value]. Values that are not finite and points without a recorded value are left out.
-- Tie-breaks: hour, series, then time. Why FINAL: a resent point is one point. In the order of the key, so that the answer streams in bounded memory.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT toString(series) AS id, transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp, toFloat64(count()) AS count,
  arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((toUnixTimestamp64Milli(time), value)))), ',') AS points
FROM samples FINAL
WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0 AND isFinite(value)
GROUP BY tenant, toStartOfHour(time) AS hour, series
ORDER BY hour, series
SETTINGS optimize_aggregation_in_order = 1
