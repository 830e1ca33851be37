-- Hour roll-up of the given (tenant, hour)s, recomputed whole. One row a (tenant, series, hour) that holds a finite value.
-- FINAL: resends are one point. Sorted arrays: first, last, increase and the float sum do not depend on the order of parts.
-- Units: times in milliseconds since the epoch, start 0 when unknown or after its point. role: 1 monotonic cumulative sum, 2 delta sum, 0 anything else (its increase adds rises, and what a fall leaves).
-- Counters go by counter_steps; the first point's own growth is on the edge between hours and not in this row. Late points count here (charts), not in bills.
INSERT INTO series_hour (tenant, series, bucket, count, sum, min, max, first, last, first_time, first_start, last_time, increase, resets, version,
  last_start, unknown_starts, gaps, gap_seconds, overlaps, late)
SELECT tenant, series, bucket, length(points), arraySum(values), arrayMin(values), arrayMax(values), values[1], values[-1],
  fromUnixTimestamp64Milli(times[1], 'UTC'), fromUnixTimestamp64Milli(starts[1], 'UTC'), fromUnixTimestamp64Milli(times[-1], 'UTC'),
  multiIf(role = 1, arraySum(s -> if(isFinite(s.1), s.4 - s.1, 0), steps), role = 2, arraySum(values), arraySum((v, p) -> if(v >= p, v - p, v), arrayPopFront(values), arrayPopBack(values))),
  arrayCount(s -> s.2 = 2, steps), {version:UInt64},
  fromUnixTimestamp64Milli(starts[-1], 'UTC'), arrayCount(s -> s.2 = 3, arrayPopFront(steps)), arrayCount(d -> d > 300000, apart), arraySum(d -> if(d > 300000, intDiv(d, 1000), 0), apart),
  if(role = 2, arrayCount((s, q) -> s > 0 AND s < q - 1000, arrayPopFront(starts), arrayPopBack(times)), arrayCount(s -> s.2 = 4, steps)), late
FROM (
  SELECT *, counter_steps(if(role = 1, points, []), toInt64(9223372036854775807)) AS steps,
    tupleElement(points, 1) AS times, tupleElement(points, 2) AS values, tupleElement(points, 3) AS starts,
    arrayMap((t, q) -> t - q, arrayPopFront(times), arrayPopBack(times)) AS apart
  FROM (
    SELECT tenant, series, toStartOfHour(time) AS bucket,
      arraySort(groupArray((toUnixTimestamp64Milli(time), value, if(start > time, toInt64(0), toUnixTimestamp64Milli(start))))) AS points, countIf(bitAnd(flags, 4) != 0) AS late,
      multiIf(
        (tenant, series) IN (SELECT tenant, series FROM series WHERE tenant IN {tenants:Array(UInt32)} AND kind = 'sum' AND monotonic AND temporality = 'cumulative'), 1,
        (tenant, series) IN (SELECT tenant, series FROM series WHERE tenant IN {tenants:Array(UInt32)} AND kind = 'sum' AND temporality = 'delta'), 2, 0) AS role
    FROM samples FINAL
    WHERE (tenant, toStartOfHour(time)) IN (SELECT arrayJoin(arrayZip({tenants:Array(UInt32)}, arrayMap(h -> toDateTime(h, 'UTC'), {hours:Array(UInt32)}))))
      AND toStartOfHour(time) BETWEEN toDateTime({fromHour:UInt32}, 'UTC') AND toDateTime({toHour:UInt32}, 'UTC')
      AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32} + 3600, 3, 'UTC')
      AND series % {parts:UInt32} = {part:UInt32}
      AND bitAnd(flags, 1) = 0 AND isFinite(value)
    GROUP BY tenant, series, bucket
  )
)
