-- Purpose: open tickets of the ISP's customers by priority over time.
-- Row grain: a priority and step. Units: tickets, the mean of the step. From the hour roll-up. Why FINAL: older versions of a roll-up remain until merged.
WITH
  (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen,
  gauges AS (SELECT series, any(attributes['priority']) AS priority FROM series WHERE tenant = chosen AND metric = 'dotmac.tickets.open' GROUP BY series)
SELECT slot AS time, priority, sum(mean) AS tickets
FROM (
  SELECT $__timeInterval(bucket) AS slot, series, sum(r.sum) / sum(r.count) AS mean FROM series_hour AS r FINAL
  WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM gauges) AND tenant = chosen AND series IN (SELECT series FROM gauges) AND $__timeFilter(bucket) AND r.count > 0
  GROUP BY slot, series
) AS steps INNER JOIN gauges USING (series)
GROUP BY time, priority
ORDER BY time, priority
