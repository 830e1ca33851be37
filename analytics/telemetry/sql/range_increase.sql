-- Purpose: the exact increase of counters in steps, right across resets and edges; also divided by seconds, as a rate.
-- Row grain: one row a group; `points` as in range_levels. Units: the metric's own, times `scale` (1, or 1 / seconds of a step).
-- A step between two points belongs to the later one. It is a reset when the value falls or the OTLP start time moved past the point before; it then counts from zero. The first point
-- has no step unless one stands in the look-back before `start`. Delta points add themselves. The same rule as the roll-ups and usage_hour.
-- Tie-breaks: sorted arrays, so the order of parts does not matter; arrays a column, because arrays of tuples are gathered at half the speed. Why FINAL: a resent delta point would count twice; without it when all series are cumulative, an equal row adds nothing.
WITH
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  fromUnixTimestamp64Milli({lookback:Int64}, 'UTC') AS before
SELECT grp, arrayStringConcat(arrayMap(p -> concat('[', toString(p.1), ',', toString(p.2), ']'), arraySort(groupArray((at, value)))), ',') AS points, avg(value) AS weight
FROM (
  SELECT grp, {start:Int64} + intDiv(step.1 - {start:Int64}, {step:Int64}) * {step:Int64} AS at, sum(step.2) * {scale:Float64} AS value
  FROM (
    SELECT transform(series, {series:Array(UInt64)}, {groups:Array(UInt32)}, toUInt32(0)) /* group */ AS grp,
      groupArray(toUnixTimestamp64Milli(time)) AS ms, arraySort(ms) AS times, arraySort((v, t) -> t, groupArray(value), ms) AS values, arraySort((s, t) -> t, groupArray(toUnixTimestamp64Milli(start)), ms) AS starts,
      has({deltas:Array(UInt64)}, series) AS delta,
      if(delta, values, arrayMap((v, p, s, t) -> if(v < p OR s > t, v, v - p), values, arrayPushFront(arrayPopBack(values), values[1]), starts, arrayPushFront(arrayPopBack(times), times[1] + 315360000000000))) AS grown,
      arrayJoin(arrayZip(times, grown)) AS step
    FROM samples FINAL /* exact */
    WHERE tenant = {tenant:UInt32} AND series IN {series:Array(UInt64)}
      AND toStartOfHour(time) >= toStartOfHour(before) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= before AND time < hi
      AND bitAnd(flags, 1) = 0 AND isFinite(value)
    GROUP BY series
  )
  WHERE step.1 >= {start:Int64}
  GROUP BY grp, at
)
GROUP BY grp
ORDER BY weight DESC, grp
LIMIT {limit:UInt32}
