-- Purpose: records that could not be stored, by tenant and error code.
-- Row grain: a tenant and code. Units: records of the log. Why FINAL: a redelivered poison record is written again.
SELECT t.id AS Tenant, code AS Code, count() AS Records, max(at) AS Newest
FROM dead_letters FINAL INNER JOIN (SELECT tenant, id FROM tenants FINAL) AS t ON t.tenant = dead_letters.tenant
WHERE $__timeFilter_ms(at)
GROUP BY Tenant, Code
ORDER BY Records DESC, Tenant, Code
LIMIT 100
