-- Purpose: the daily mean of a gauge of tenants, all its series together.
-- Row grain: one row a tenant and UTC day with data. Units: the metric's own; `dayMs` milliseconds since the epoch. A day's mean is of its points, added over the series.
-- Tie-breaks: none. Why FINAL: series_hour keeps older versions until merged. The prefix condition prunes the sort key.
WITH chosen AS (SELECT DISTINCT tenant, series FROM series WHERE tenant IN {tenants:Array(UInt32)} AND metric = {metric:String} AND kind IN ('gauge', 'sum'))
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(toUnixTimestamp(day)) * 1000 AS dayMs, sum(series_mean) AS mean
FROM (
  SELECT tenant, series, toStartOfDay(bucket) AS day, sum(h.sum) / sum(h.count) AS series_mean
  FROM series_hour AS h FINAL
  WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM chosen) AND tenant IN {tenants:Array(UInt32)} AND series IN (SELECT series FROM chosen)
    AND bucket >= toDateTime(intDiv({start:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({end:Int64}, 1000), 'UTC')
  GROUP BY tenant, series, day
)
GROUP BY tenant, day
ORDER BY tenantNumber, dayMs
SETTINGS do_not_merge_across_partitions_select_final = 1
