-- Minute roll-up of the given (tenant, hour)s, as roll-series-hour.
INSERT INTO series_minute (tenant, series, bucket, count, sum, min, max, first, last, increase, version, first_start, last_time)
SELECT tenant, series, bucket, length(points), arraySum(values), arrayMin(values), arrayMax(values), values[1], values[-1], arraySum(steps), {version:UInt64}, starts[1], times[-1]
FROM (
  SELECT
    tenant, series, toStartOfMinute(time) AS bucket,
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
