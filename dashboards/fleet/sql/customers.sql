-- Purpose: active customers of the ISPs over time, by tenant.
-- Row grain: a tenant and step. Units: customers: the mean of each series, added over the series. From the hour roll-up, so a step is whole hours. Why FINAL: older versions remain until merged.
SELECT slot AS time, t.id AS tenant, customers
FROM (
  SELECT slot, tenant, sum(mean) AS customers
  FROM (
    SELECT $__timeInterval(bucket) AS slot, tenant, series, sum(sum) / sum(count) AS mean FROM series_hour FINAL
    WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM series WHERE metric = 'dotmac.customers.active')
      AND (tenant, series) IN (SELECT tenant, series FROM series WHERE metric = 'dotmac.customers.active') AND $__timeFilter(bucket) AND count > 0
    GROUP BY slot, tenant, series
  )
  GROUP BY slot, tenant
) AS steps INNER JOIN (SELECT tenant, id FROM tenants FINAL) AS t ON t.tenant = steps.tenant
ORDER BY time, tenant
