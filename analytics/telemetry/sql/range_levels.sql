-- Purpose: samples of gauges and sums in steps, one aggregate over all points of a group.
-- Row grain: one row a group; `points` is the inside of a JSON array of [ms, value], ordered by time, ready to be sent. Units: the metric's own; a step without data is absent.
-- Tie-breaks: the last value is that of the newest point, of several in one millisecond that of the highest series id.
-- Why FINAL: sum, avg and count change with a resent row; without it for min, max and last, which an equal row does not change.
-- Values that are not finite and points without a recorded value are left out, as the roll-ups do. The hour stands twice in the conditions because only toStartOfHour prunes the key.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT grp, arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((at, value)))), ',') AS points, avg(value) AS weight
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp,
    {start:Int64} + intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64}) * {step:Int64} AS at,
    sum(value) / count() /* aggregate */ AS value
  FROM samples FINAL /* exact */
  WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
    AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi
    AND bitAnd(flags, 1) = 0 AND isFinite(samples.value)
  GROUP BY grp, at
)
WHERE isFinite(value)
GROUP BY grp
ORDER BY weight DESC, grp
LIMIT {limit:UInt32}
