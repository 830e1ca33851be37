-- Purpose: gauges and sums in steps over a long range, from the cheapest rows that are exact.
-- Row grain: one row a group; `points` as in range_levels. `hourEnd` and `minuteEnd` say what was read.
-- Sources: hour roll-ups for [start, hour_end), minute roll-ups for [hour_end, minute_end), samples for the rest: the hours that the roll-up job has not caught up with are always read from samples.
-- Units: the metric's own. Tie-breaks: the last value is that of the newest run. Why FINAL: sum, avg and count change with a resent row; roll-ups keep older versions until merged.
WITH
  (
    -- The first UTC hour of the range whose batches the roll-up job has not read, nothing when it has read all. touched: max() is insensitive to duplicates; rolled: the highest version counts.
    SELECT minOrNull(toInt64(toUnixTimestamp(hour)) * 1000)
    FROM (
      SELECT bucket AS hour, max(seq) AS newest FROM touched
      WHERE signal = 'metrics' AND tenant = {tenant:UInt32} AND bucket >= toStartOfHour(toDateTime(intDiv({start:Int64}, 1000), 'UTC')) AND bucket < toDateTime(intDiv({end:Int64} + 999, 1000), 'UTC')
      GROUP BY bucket
    ) AS t
    LEFT JOIN (
      SELECT bucket AS hour, max(version) + 1 AS next FROM rolled
      WHERE signal = 'metrics' AND tenant = {tenant:UInt32} AND bucket >= toStartOfHour(toDateTime(intDiv({start:Int64}, 1000), 'UTC')) AND bucket < toDateTime(intDiv({end:Int64} + 999, 1000), 'UTC')
      GROUP BY bucket
    ) AS r USING (hour)
    WHERE newest >= next
  ) AS first_dirty,
  greatest({start:Int64}, least({hourMax:Int64}, ifNull(intDiv(first_dirty, 3600000) * 3600000, {hourMax:Int64}))) AS hour_end,
  greatest(hour_end, least({minuteMax:Int64}, ifNull(intDiv(first_dirty, 60000) * 60000, {minuteMax:Int64}))) AS minute_end
SELECT grp, arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((at, value)))), ',') AS points, avg(value) AS weight, toFloat64(hour_end) AS hourEnd, toFloat64(minute_end) AS minuteEnd
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp,
    {start:Int64} + intDiv(ms - {start:Int64}, {step:Int64}) * {step:Int64} AS at, sum(total) / sum(n) /* aggregate */ AS value
  FROM (
    SELECT series, toUnixTimestamp64Milli(time) AS ms, toUInt64(1) AS n, value AS total, value AS lowest, value AS highest, value AS final
    FROM samples FINAL
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(fromUnixTimestamp64Milli(minute_end, 'UTC')) AND toStartOfHour(time) <= toStartOfHour(fromUnixTimestamp64Milli({end:Int64}, 'UTC'))
      AND time >= fromUnixTimestamp64Milli(minute_end, 'UTC') AND time < fromUnixTimestamp64Milli({end:Int64}, 'UTC') AND bitAnd(flags, 1) = 0 AND isFinite(value)
    UNION ALL
    SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000, toUInt64(count), sum, min, max, last
    FROM series_minute FINAL
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(arrayJoin({series:Array(UInt64)}), 48))
      AND bucket >= toDateTime(intDiv(hour_end, 1000), 'UTC') AND bucket < toDateTime(intDiv(minute_end, 1000), 'UTC') AND hour_end < minute_end
    UNION ALL
    SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000, toUInt64(count), sum, min, max, last
    FROM series_hour FINAL
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(arrayJoin({series:Array(UInt64)}), 48))
      AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv(hour_end, 1000), 'UTC') AND {start:Int64} < hour_end
  )
  GROUP BY grp, at
)
WHERE isFinite(value)
GROUP BY grp
ORDER BY weight DESC, grp
LIMIT {limit:UInt32}
