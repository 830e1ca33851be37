-- Purpose: the exact increase of counters in steps over a long range, from the cheapest rows that are exact.
-- Row grain: one row a group; `points` as in range_levels. Units: the metric's own, times `scale`.
-- Sources: hour roll-ups for [start, hourEnd), minute roll-ups for [hourEnd, minuteEnd), samples for the rest; a source marked `from` is left out when it has nothing to give.
-- A roll-up row is a run of samples: its own increase plus the edge from the last value before it; samples are runs of one. The edge is a reset as in range_increase.
-- The look-back before `start` only lends the first run its predecessor. Why FINAL: a resent delta point would count twice; roll-ups keep older versions until merged. Tie-breaks: one run a series and time.
SELECT grp, arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((at, value)))), ',') AS points, avg(value) AS weight
FROM (
  SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp,
    {start:Int64} + intDiv(ms - {start:Int64}, {step:Int64}) * {step:Int64} AS at,
    sum(if(has({deltas:Array(UInt64)}, series), total, inner_increase + multiIf(position = 1, 0., first < previous OR first_start > previous_ms, first, first - previous))) * {scale:Float64} AS value
  FROM (
    SELECT *, lagInFrame(final) OVER w AS previous, lagInFrame(last_ms) OVER w AS previous_ms, row_number() OVER w AS position
    FROM (
      -- from samples
      SELECT series, toUnixTimestamp64Milli(time) AS ms, value AS total, value AS first, value AS final, 0. AS inner_increase, toUnixTimestamp64Milli(start) AS first_start, ms AS last_ms
      FROM samples FINAL
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
        AND toStartOfHour(time) >= toStartOfHour(fromUnixTimestamp64Milli({lookback:Int64}, 'UTC')) AND toStartOfHour(time) <= toStartOfHour(fromUnixTimestamp64Milli({end:Int64}, 'UTC'))
        AND time >= fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND (time < fromUnixTimestamp64Milli({start:Int64}, 'UTC') OR time >= fromUnixTimestamp64Milli({minuteEnd:Int64}, 'UTC')) AND bitAnd(flags, 1) = 0 AND isFinite(value)
      UNION ALL -- from minutes
      SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000 AS ms, sum AS total, first, last AS final, increase AS inner_increase, toUnixTimestamp64Milli(m.first_start) AS first_start,
        if(toUnixTimestamp64Milli(m.last_time) = 0, ms + 59999, toUnixTimestamp64Milli(m.last_time)) AS last_ms
      FROM series_minute AS m FINAL
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN {prefixes:Array(UInt64)}
        AND bucket >= toDateTime(intDiv({hourEnd:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({minuteEnd:Int64}, 1000), 'UTC')
      UNION ALL -- from hours
      SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000 AS ms, sum AS total, first, last AS final, increase AS inner_increase, toUnixTimestamp64Milli(h.first_start) AS first_start, toUnixTimestamp64Milli(h.last_time) AS last_ms
      FROM series_hour AS h FINAL
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)} AND bitShiftRight(series, 48) IN {prefixes:Array(UInt64)}
        AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({hourEnd:Int64}, 1000), 'UTC')
      -- from end
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
