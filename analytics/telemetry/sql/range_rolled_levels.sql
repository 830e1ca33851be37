-- Purpose: gauges and sums in steps over a long range, from the cheapest rows that are exact.
-- Row grain: one row a group; `points` as in range_levels.
-- Sources: hour roll-ups for [start, hourEnd), minute roll-ups for [hourEnd, minuteEnd), samples for the rest; a source marked `from` is left out when it has nothing to give.
-- Units: the metric's own. Tie-breaks: the last value is that of the newest run. Why FINAL: sum, avg and count change with a resent row; roll-ups keep older versions until merged.
SELECT grp, arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((at, value)))), ',') AS points, avg(value) AS weight
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp,
    {start:Int64} + intDiv(ms - {start:Int64}, {step:Int64}) * {step:Int64} AS at, sum(total) / sum(n) /* aggregate */ AS value
  FROM (
    -- from samples
    SELECT series, toUnixTimestamp64Milli(time) AS ms, toUInt64(1) AS n, value AS total, value AS lowest, value AS highest, value AS final
    FROM samples FINAL
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(fromUnixTimestamp64Milli({minuteEnd:Int64}, 'UTC')) AND toStartOfHour(time) <= toStartOfHour(fromUnixTimestamp64Milli({end:Int64}, 'UTC'))
      AND time >= fromUnixTimestamp64Milli({minuteEnd:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({end:Int64}, 'UTC') AND bitAnd(flags, 1) = 0 AND isFinite(value)
    UNION ALL -- from minutes
    SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000 AS ms, toUInt64(count) AS n, sum AS total, min AS lowest, max AS highest, last AS final
    FROM series_minute FINAL
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN {prefixes:Array(UInt64)}
      AND bucket >= toDateTime(intDiv({hourEnd:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({minuteEnd:Int64}, 1000), 'UTC')
    UNION ALL -- from hours
    SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000 AS ms, toUInt64(count) AS n, sum AS total, min AS lowest, max AS highest, last AS final
    FROM series_hour FINAL
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN {prefixes:Array(UInt64)}
      AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({hourEnd:Int64}, 1000), 'UTC')
    -- from end
  )
  GROUP BY grp, at
)
WHERE isFinite(value)
GROUP BY grp
ORDER BY weight DESC, grp
LIMIT {limit:UInt32}
