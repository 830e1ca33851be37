-- Purpose: points of gauges and sums in steps, from the cheapest rows that are exact.
-- Row grain: one row a (group, step). `slot` counts steps from `start`; a step without data has no row.
-- Units: the metric's own; `increase` = sum of (v >= previous ? v - previous : v) a series, delta series add their values.
-- Sources: hour roll-ups for [hourStart, hourEnd), minute roll-ups for [hourEnd, minuteEnd), samples for the rest and for the look-back before `start`,
-- which only lends the first point its predecessor. A roll-up row is a run of samples: its own increase plus the edge from the last value before it.
-- Tie-breaks: one row a series and millisecond under FINAL, so the order by time is total.
-- Why FINAL: avg, sum and count change with a resent row; roll-ups keep older versions until merged.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AS before,
  fromUnixTimestamp64Milli({hourEnd:Int64}, 'UTC') AS hour_end,
  fromUnixTimestamp64Milli({minuteEnd:Int64}, 'UTC') AS minute_end,
  chosen AS (
    SELECT series, any(temporality) = 'delta' AS delta, any(if({groupBy:String} = '', '', attributes[{groupBy:String}])) AS grp
    FROM series WHERE tenant = {tenant:UInt32} AND metric = {metric:String} AND kind IN ('gauge', 'sum') GROUP BY series
  ),
  runs AS (
    SELECT series, toUnixTimestamp64Milli(time) AS ms, toUInt64(1) AS n, value AS total, value AS lowest, value AS highest, value AS first, value AS last, 0. AS inner_increase
    FROM samples FINAL
    WHERE tenant = {tenant:UInt32} AND series IN (SELECT series FROM chosen)
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi)
      AND ((time >= before AND time < lo) OR (time >= minute_end AND time < hi)) AND bitAnd(flags, 1) = 0
    UNION ALL
    SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000, toUInt64(count), sum, min, max, first, last, increase
    FROM series_minute FINAL
    WHERE tenant = {tenant:UInt32} AND series IN (SELECT series FROM chosen) AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM chosen)
      AND bucket >= hour_end AND bucket < minute_end
    UNION ALL
    SELECT series, toInt64(toUnixTimestamp(bucket)) * 1000, toUInt64(count), sum, min, max, first, last, increase
    FROM series_hour FINAL
    WHERE tenant = {tenant:UInt32} AND series IN (SELECT series FROM chosen) AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM chosen)
      AND bucket >= lo AND bucket < hour_end
  ),
  edged AS (
    SELECT *, lagInFrame(last) OVER w AS previous, row_number() OVER w AS position
    FROM runs
    WINDOW w AS (PARTITION BY series ORDER BY ms ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  )
SELECT grp, toFloat64(intDiv(ms - {start:Int64}, {step:Int64})) AS slot, toFloat64(sum(n)) AS count, sum(total) AS sum, min(lowest) AS min, max(highest) AS max,
  sum(if(delta, total, inner_increase + multiIf(position = 1, 0., first >= previous, first - previous, first))) AS increase
FROM edged INNER JOIN chosen USING (series)
WHERE ms >= {start:Int64}
GROUP BY grp, slot
ORDER BY grp, slot
SETTINGS do_not_merge_across_partitions_select_final = 1
