-- Purpose: good, bad and unmeasured minutes over time.
-- Row grain: a step of whole hours that the range begins in or after. Units: minutes; of the running hour the minutes to come count as unmeasured. Why FINAL: an older version of an hour remains until merged.
SELECT slot AS time, toUInt32(sum(measured_minutes - bad_minutes)) AS good, toUInt32(sum(bad_minutes)) AS bad, toUInt32(60 * count() - sum(measured_minutes)) AS unmeasured
FROM (
  SELECT $__timeInterval(bucket) AS slot, bitCount(measured) AS measured_minutes, bitCount(bad) AS bad_minutes
  FROM (
    SELECT hours.bucket AS bucket, h.measured AS measured, h.bad AS bad
    FROM (
      SELECT toDateTime(arrayJoin(range(intDiv(toUnixTimestamp($__fromTime), 3600) * 3600, toUnixTimestamp($__toTime), 3600)), 'UTC') AS bucket
    ) AS hours
    LEFT JOIN (
      SELECT sla_hour.bucket AS bucket, measured, bad FROM sla_hour FINAL
      WHERE tenant = (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AND sla_hour.bucket >= $__fromTime - INTERVAL 1 HOUR AND sla_hour.bucket <= $__toTime
    ) AS h ON h.bucket = hours.bucket
  )
)
GROUP BY time
ORDER BY time
