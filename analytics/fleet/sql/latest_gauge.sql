-- Purpose: the latest value of a gauge of tenants within a window, added over its series.
-- Row grain: one row a tenant with a point in the window. Units: the metric's own.
-- Tie-breaks: one row a series and millisecond under FINAL. Why FINAL: the last inserted of equal times wins.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT toFloat64(tenant) AS tenantNumber, sum(latest) AS value
FROM (
  SELECT tenant, series, argMax(value, time) AS latest
  FROM samples FINAL
  WHERE tenant IN {tenants:Array(UInt32)}
    AND (tenant, series) IN (SELECT tenant, series FROM series WHERE tenant IN {tenants:Array(UInt32)} AND metric = {metric:String} AND kind = 'gauge')
    AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time <= hi AND bitAnd(flags, 1) = 0
  GROUP BY tenant, series
)
GROUP BY tenant
ORDER BY tenantNumber
SETTINGS do_not_merge_across_partitions_select_final = 1
