-- Purpose: the tenant's service level in the range.
-- Row grain: exactly one row. Units: Attainment a fraction of measured minutes, null when none was measured; minutes; Budget the fraction of the range's error budget (0.05 % of measured minutes) that is left.
-- Why FINAL: an older version of an hour remains until merged.
WITH
  (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen,
  intDiv(toUnixTimestamp($__fromTime), 60) AS first,
  intDiv(toUnixTimestamp($__toTime), 60) + 1 AS last,
  minutes AS (
    SELECT sum(bitCount(bitAnd(measured, inside))) AS measured_minutes, sum(bitCount(bitAnd(bad, inside))) AS bad_minutes
    FROM (
      SELECT measured, bad, intDiv(toUnixTimestamp(bucket), 60) AS minute,
        bitAnd(toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, toInt64(last) - minute)))) - 1, bitNot(toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, toInt64(first) - minute)))) - 1)) AS inside
      FROM sla_hour FINAL
      WHERE tenant = chosen AND bucket >= $__fromTime - INTERVAL 1 HOUR AND bucket <= $__toTime
    )
  )
SELECT if(measured_minutes = 0, NULL, (measured_minutes - bad_minutes) / measured_minutes) AS Attainment,
  if(measured_minutes = 0, NULL, 1 - bad_minutes / (0.0005 * measured_minutes)) AS Budget,
  bad_minutes AS `Bad minutes`, greatest(0, toInt64(last) - toInt64(first) - toInt64(measured_minutes)) AS `Unmeasured minutes`
FROM minutes
