-- Purpose: what the tenant used of each meter in the range.
-- Row grain: a meter. Units: the meter's own; of time-weighted meters (customers, storage) the mean over the measured time, added over subjects. The newest version of each fact counts, equal versions are equal rows, so no FINAL.
-- Bias: facts of 15 minutes; what is metered later is not in them yet. Bills are computed from the same facts at a cut-off.
SELECT meter AS Meter, sum(quantity) AS Quantity, sum(counted) AS Events, count() AS Subjects
FROM (
  SELECT meter, subject, if(sum(newest.2) > 0, sum(newest.1) / sum(newest.2), sum(newest.1)) AS quantity, sum(newest.3) AS counted
  FROM (
    SELECT meter, subject, bucket, argMax((toFloat64(value), seconds, events), version) AS newest FROM billing_facts
    WHERE tenant = (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AND bucket >= $__fromTime - INTERVAL 15 MINUTE AND bucket < $__toTime
    GROUP BY meter, subject, bucket
  )
  GROUP BY meter, subject
)
GROUP BY Meter
ORDER BY Meter
