-- Purpose: CPU in use against the tier.
-- Row grain: a step with data. Units: cores; the tier's from the commercial model, null for a tier that it does not name. From the minute roll-up: the mean of each series, added over the series. Why FINAL: older versions of a roll-up remain until merged.
WITH (SELECT (tenant, tier) FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen
SELECT slot AS time, sum(mean) AS `used`, transform(toString(any(chosen.2)), ['micro', 'small', 'medium', 'large', 'xlarge'], [0.5, 1, 2, 4, 8], NULL) AS tier
FROM (
  SELECT $__timeInterval(bucket) AS slot, series, sum(r.sum) / sum(r.count) AS mean FROM series_minute AS r FINAL
  WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM series WHERE tenant = chosen.1 AND metric = 'container.cpu.usage')
    AND tenant = chosen.1 AND series IN (SELECT series FROM series WHERE tenant = chosen.1 AND metric = 'container.cpu.usage') AND $__timeFilter(bucket) AND r.count > 0
  GROUP BY slot, series
)
GROUP BY time
ORDER BY time
