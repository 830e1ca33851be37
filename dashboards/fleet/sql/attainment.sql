-- Purpose: the service level of the whole fleet in the range, and how many tenants are below the objective of 99.95 %.
-- Row grain: exactly one row. Units: attainment a fraction of measured minutes, null when none was measured; minutes. Minutes of all tenants weigh the same.
-- Why FINAL: an older version of an hour remains until merged.
WITH
  intDiv(toUnixTimestamp($__fromTime), 60) AS first,
  intDiv(toUnixTimestamp($__toTime), 60) + 1 AS last,
  by_tenant AS (
    SELECT tenant, sum(bitCount(bitAnd(measured, inside))) AS measured_minutes, sum(bitCount(bitAnd(bad, inside))) AS bad_minutes
    FROM (
      SELECT tenant, measured, bad, intDiv(toUnixTimestamp(bucket), 60) AS minute,
        bitAnd(toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, toInt64(last) - minute)))) - 1, bitNot(toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, toInt64(first) - minute)))) - 1)) AS inside
      FROM sla_hour FINAL
      WHERE bucket >= $__fromTime - INTERVAL 1 HOUR AND bucket <= $__toTime
    )
    GROUP BY tenant
    HAVING measured_minutes > 0
  )
SELECT if(sum(measured_minutes) = 0, NULL, (sum(measured_minutes) - sum(bad_minutes)) / sum(measured_minutes)) AS Attainment,
  countIf((measured_minutes - bad_minutes) / measured_minutes < 0.9995) AS `Tenants below objective`
FROM by_tenant
