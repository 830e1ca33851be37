-- Purpose: active customers of the ISP over time.
-- Row grain: a step with data. Units: customers. From the hour roll-up: the mean of each series, added over the series. Why FINAL: older versions of a roll-up remain until merged.
WITH (SELECT (tenant, tier) FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen
SELECT slot AS time, sum(mean) AS `customers`
FROM (
  SELECT $__timeInterval(bucket) AS slot, series, sum(r.sum) / sum(r.count) AS mean FROM series_hour AS r FINAL
  WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM series WHERE tenant = chosen.1 AND metric = 'dotmac.customers.active')
    AND tenant = chosen.1 AND series IN (SELECT series FROM series WHERE tenant = chosen.1 AND metric = 'dotmac.customers.active') AND $__timeFilter(bucket) AND r.count > 0
  GROUP BY slot, series
)
GROUP BY time
ORDER BY time
