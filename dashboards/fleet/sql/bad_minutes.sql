-- Purpose: minutes below the service level by tenant over time, of the ten worst tenants of the range.
-- Row grain: a tenant and step with a measured minute. Units: minutes of the step, which is whole hours. Why FINAL: an older version of an hour remains until merged.
WITH steps AS (
  SELECT $__timeInterval(bucket) AS slot, tenant, sum(bitCount(bad)) AS bad_minutes FROM sla_hour FINAL
  WHERE $__timeFilter(bucket) AND measured != 0 GROUP BY slot, tenant
)
SELECT slot AS time, t.id AS tenant, toUInt32(bad_minutes) AS `bad minutes`
FROM steps INNER JOIN (SELECT tenant, id FROM tenants FINAL) AS t ON t.tenant = steps.tenant
WHERE steps.tenant IN (SELECT tenant FROM steps GROUP BY tenant ORDER BY sum(bad_minutes) DESC, tenant LIMIT 10)
ORDER BY time, tenant
