-- Purpose: how many active tenants are up, degraded, down and unmeasured at the end of the range.
-- Row grain: exactly one row. Units: tenants. A tenant is as bad as the worst of its probes' latest states within 5 minutes; the same rule as the fleet overview.
-- Tie-breaks: of states in one millisecond the worst. Why FINAL: a resent point may carry another value.
WITH
  probes AS (
    SELECT tenant, series, any(attributes['status']) AS status,
      any(cityHash64(arraySort(arrayFilter(kv -> kv.1 NOT IN ('status', 'dotmac.fault.domain'), arrayZip(mapKeys(attributes), mapValues(attributes)))))) AS probe
    FROM series WHERE metric = 'dotmac.health.status' GROUP BY tenant, series
  ),
  points AS (
    SELECT tenant, series, time, value FROM samples FINAL
    WHERE (tenant, series) IN (SELECT tenant, series FROM probes) AND tenant IN (SELECT tenant FROM tenants)
      AND toStartOfHour(time) >= $__toTime - INTERVAL 2 HOUR AND toStartOfHour(time) <= $__toTime
      AND time >= $__toTime_ms - INTERVAL 5 MINUTE AND time <= $__toTime_ms AND bitAnd(flags, 1) = 0
  ),
  states AS (
    SELECT tenant, max(latest) AS worst, 1 AS measured
    FROM (
      SELECT tenant, probe, argMax(multiIf(status = 'degraded', 1, status = 'down' OR value < 0.5, 2, 0) AS state, (time, state)) AS latest
      FROM points INNER JOIN probes USING (tenant, series) GROUP BY tenant, probe
    )
    GROUP BY tenant
  )
SELECT countIf(measured = 1 AND worst = 0) AS Up, countIf(measured = 1 AND worst = 1) AS Degraded, countIf(measured = 1 AND worst = 2) AS Down, countIf(measured = 0) AS Unmeasured
FROM (SELECT tenant FROM tenants FINAL WHERE state = 'active') AS active LEFT JOIN states USING (tenant)
