-- Purpose: the rate of counters as Prometheus computes it, over a window that ends with each step; for charts, it extrapolates.
-- Row grain: one row a group; `points` as in range_levels. Units: the metric's own a second. A series with fewer than two points in a window has no rate there.
-- Grid points stand one millisecond before the end of their step, so that a window is half-open like everything else here.
-- FINAL is not needed: an equal row changes no rate. Tie-breaks: none.
SELECT grp, arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((at, value)))), ',') AS points, avg(value) AS weight
FROM (
  SELECT grp, {start:Int64} + ((arrayJoin(arrayEnumerate(rates)) AS i) - 1) * {step:Int64} AS at, rates[i] AS value
  FROM (
    SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp, sumForEach(rate) AS rates
    FROM (
      SELECT series,
        timeSeriesRateToGrid(fromUnixTimestamp64Milli({start:Int64} + {step:Int64} - 1, 'UTC'), fromUnixTimestamp64Milli({last:Int64}, 'UTC'), {stepSeconds:UInt32}, {windowSeconds:UInt32})(time, value) AS rate
      FROM samples
      WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
        AND toStartOfHour(time) >= toStartOfHour(fromUnixTimestamp64Milli({lookback:Int64}, 'UTC')) AND toStartOfHour(time) <= toStartOfHour(fromUnixTimestamp64Milli({end:Int64}, 'UTC'))
        AND time >= fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND bitAnd(flags, 1) = 0 AND isFinite(value)
      GROUP BY series
    )
    GROUP BY grp
  )
)
WHERE isNotNull(value) AND isFinite(value)
GROUP BY grp
ORDER BY weight DESC, grp
LIMIT {limit:UInt32}
SETTINGS allow_experimental_time_series_aggregate_functions = 1
