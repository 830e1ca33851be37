-- Purpose: the ten tenants that used most of the chosen meter in the range.
-- Row grain: a tenant. Units: the meter's own; of time-weighted meters (customers, storage) the mean over the measured time. The newest version of each fact counts, equal versions are equal rows, so no FINAL.
-- Bias: facts of 15 minutes, an hour or so behind; bills are computed from the same facts at a cut-off.
SELECT t.id AS Tenant, toFloat64(sum(quantity)) AS Quantity
FROM (
  SELECT tenant, subject, if(sum(newest.2) > 0, sum(newest.1) / sum(newest.2), toFloat64(sum(newest.1))) AS quantity
  FROM (
    SELECT tenant, subject, bucket, argMax((toFloat64(value), seconds), version) AS newest FROM billing_facts
    WHERE tenant IN (SELECT tenant FROM tenants) AND meter = ${meter:sqlstring} AND bucket >= $__fromTime - INTERVAL 15 MINUTE AND bucket < $__toTime
    GROUP BY tenant, subject, bucket
  )
  GROUP BY tenant, subject
) AS used INNER JOIN (SELECT tenant, id FROM tenants FINAL) AS t ON t.tenant = used.tenant
GROUP BY Tenant
ORDER BY Quantity DESC, Tenant
LIMIT 10
