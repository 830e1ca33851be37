-- Hour roll-up of the given (tenant, hour)s, recomputed whole. One row a (tenant, series, hour) that holds a finite value.
-- FINAL: resends are one point. Sorted arrays: first, last, increase and the float sum do not depend on the order of parts.
-- A step is a reset when the value falls or the OTLP start time moved past the point before; it then counts from zero.
INSERT INTO series_hour (tenant, series, bucket, count, sum, min, max, first, last, first_time, first_start, last_time, increase, resets, version)
SELECT tenant, series, bucket, length(points), arraySum(values), arrayMin(values), arrayMax(values), values[1], values[-1], times[1], starts[1], times[-1],
  arraySum(steps), arrayCount(is_reset), {version:UInt64}
FROM (
  SELECT
    tenant, series, toStartOfHour(time) AS bucket,
    arraySort(groupArray((time, value, start))) AS points,
    tupleElement(points, 1) AS times, tupleElement(points, 2) AS values, tupleElement(points, 3) AS starts,
    arrayMap((v, p, s, t) -> v < p OR s > t, arrayPopFront(values), arrayPopBack(values), arrayPopFront(starts), arrayPopBack(times)) AS is_reset,
    arrayMap((v, p, r) -> if(r, v, v - p), arrayPopFront(values), arrayPopBack(values), is_reset) AS steps
  FROM samples FINAL
  WHERE (tenant, toStartOfHour(time)) IN (SELECT arrayJoin(arrayZip({tenants:Array(UInt32)}, arrayMap(h -> toDateTime(h, 'UTC'), {hours:Array(UInt32)}))))
    AND toStartOfHour(time) BETWEEN toDateTime({fromHour:UInt32}, 'UTC') AND toDateTime({toHour:UInt32}, 'UTC')
    AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32} + 3600, 3, 'UTC')
    AND series % {parts:UInt32} = {part:UInt32}
    AND bitAnd(flags, 1) = 0 AND isFinite(value)
  GROUP BY tenant, series, bucket
)
