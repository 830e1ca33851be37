-- Purpose: the latest health status of every probe of tenants within a window.
-- Row grain: one row a tenant; `worst` 2 when a probe's latest status is down, 1 degraded, 0 up. Tenants without a point in the window have no row.
-- Tie-breaks: of points of a probe in one millisecond the worst counts. Why FINAL: a resent point may carry another value.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  probes AS (
    SELECT tenant, series, any(attributes['status']) AS status,
      any(cityHash64(arraySort(arrayFilter(kv -> kv.1 NOT IN ('status', 'dotmac.fault.domain'), arrayZip(mapKeys(attributes), mapValues(attributes)))))) AS probe
    FROM series WHERE tenant IN {tenants:Array(UInt32)} AND metric = 'dotmac.health.status' GROUP BY tenant, series
  )
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(max(latest)) AS worst
FROM (
  SELECT tenant, probe, argMax(multiIf(status = 'degraded', 1, status = 'down' OR value < 0.5, 2, 0) AS state, (time, state)) AS latest
  FROM (
    SELECT tenant, series, time, value FROM samples FINAL
    WHERE tenant IN {tenants:Array(UInt32)} AND series IN (SELECT series FROM probes)
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time <= hi AND bitAnd(flags, 1) = 0
  ) AS points INNER JOIN probes USING (tenant, series)
  GROUP BY tenant, probe
)
GROUP BY tenant
ORDER BY tenantNumber
SETTINGS do_not_merge_across_partitions_select_final = 1
