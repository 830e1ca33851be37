-- Purpose: CPU use of tenants by minute.
-- Row grain: one row a tenant and minute with data: the minute's mean of each series, added over the series (containers). Units: cores; minutes since the epoch; `newestMs` milliseconds.
-- Tie-breaks: none. Why FINAL: a resent point would weigh twice in the mean.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(minute) AS minute, sum(mean) AS cores, toFloat64(max(newest)) AS newestMs
FROM (
  SELECT tenant, series, intDiv(toUnixTimestamp64Milli(time), 60000) AS minute, avg(value) AS mean, max(toUnixTimestamp64Milli(time)) AS newest
  FROM samples FINAL
  WHERE tenant IN {tenants:Array(UInt32)}
    AND (tenant, series) IN (SELECT tenant, series FROM series WHERE tenant IN {tenants:Array(UInt32)} AND metric = 'container.cpu.usage' AND kind = 'gauge')
    AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time <= hi AND bitAnd(flags, 1) = 0
  GROUP BY tenant, series, minute
)
GROUP BY tenant, minute
ORDER BY tenantNumber, minute
SETTINGS do_not_merge_across_partitions_select_final = 1
