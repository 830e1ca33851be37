-- Purpose: the highest CPU use of tenants by hour, for scale-in, which needs days.
-- Row grain: one row a tenant and hour with data: each series' maximum, added over the series. Units: cores; hours since the epoch.
-- Bias: the maxima of two containers need not coincide, so the sum errs high and scale-in is proposed too late rather than too early. Why FINAL: older versions of a bucket remain until merged.
WITH chosen AS (SELECT DISTINCT tenant, series FROM series WHERE tenant IN {tenants:Array(UInt32)} AND metric = 'container.cpu.usage' AND kind = 'gauge')
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(intDiv(toUnixTimestamp(bucket), 3600)) AS hour, sum(max) AS cores
FROM series_hour FINAL
WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM chosen) AND tenant IN {tenants:Array(UInt32)} AND (tenant, series) IN (SELECT tenant, series FROM chosen)
  AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({end:Int64}, 1000), 'UTC')
GROUP BY tenant, hour
ORDER BY tenantNumber, hour
SETTINGS do_not_merge_across_partitions_select_final = 1
