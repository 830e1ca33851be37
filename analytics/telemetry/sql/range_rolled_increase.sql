-- Purpose: the exact increase of counters in steps over a long range, from the cheapest rows that are exact.
-- Row grain: one row a group; `points` as in range_levels. Units: the metric's own, times `scale`. `hourEnd` and `minuteEnd` say what was read.
-- Sources: hour roll-ups for [start, hour_end), minute roll-ups for [hour_end, minute_end), samples for the rest: the hours that the roll-up job has not caught up with are always read from samples.
-- A roll-up row is a run of samples: its own increase plus the edge from the last value before it; samples are runs of one. The edge is a reset as in range_increase.
-- The look-back before `start` only lends the first run its predecessor. Why FINAL: a resent delta point would count twice; roll-ups keep older versions until merged. Tie-breaks: one run a series and time.
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
    {start:Int64} + intDiv(ms - {start:Int64}, {step:Int64}) * {step:Int64} AS at,
    sum(if(has({deltas:Array(UInt64)}, series), total, inner_increase + multiIf(position = 1, 0., first < previous OR first_start > previous_ms, first, first - previous))) * {scale:Float64} AS value
  FROM (
    SELECT *, lagInFrame(final) OVER w AS previous, lagInFrame(last_ms) OVER w AS previous_ms, row_number() OVER w AS position
    FROM (
      SELECT series, toUnixTimestamp64Milli(time) AS ms, value AS total, value AS first, value AS final, 0. AS inner_increase, toUnixTimestamp64Milli(start) AS first_start, ms AS last_ms
      FROM samples FINAL
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
        AND toStartOfHour(time) >= toStartOfHour(fromUnixTimestamp64Milli({lookback:Int64}, 'UTC')) AND toStartOfHour(time) <= toStartOfHour(fromUnixTimestamp64Milli({end:Int64}, 'UTC'))
        AND time >= fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND (time < fromUnixTimestamp64Milli({start:Int64}, 'UTC') OR time >= fromUnixTimestamp64Milli(minute_end, 'UTC')) AND bitAnd(flags, 1) = 0 AND isFinite(value)
      UNION ALL
      SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000, sum, first, last, increase, 0 /* minute start */, toInt64(toUnixTimestamp(bucket)) * 1000 /* minute last */
      FROM series_minute FINAL
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(arrayJoin({series:Array(UInt64)}), 48))
        AND bucket >= toDateTime(intDiv(hour_end, 1000), 'UTC') AND bucket < toDateTime(intDiv(minute_end, 1000), 'UTC') AND hour_end < minute_end
      UNION ALL
      SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000, sum, first, last, increase, toUnixTimestamp64Milli(first_start), toUnixTimestamp64Milli(last_time)
      FROM series_hour FINAL
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(arrayJoin({series:Array(UInt64)}), 48))
        AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv(hour_end, 1000), 'UTC') AND {start:Int64} < hour_end
    )
    WINDOW w AS (PARTITION BY series ORDER BY ms ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  )
  WHERE ms >= {start:Int64}
  GROUP BY grp, at
)
WHERE isFinite(value)
GROUP BY grp
ORDER BY weight DESC, grp
LIMIT {limit:UInt32}
