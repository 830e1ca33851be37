-- Purpose: usage of the meters that add up (calls, payments) over time.
-- Row grain: a meter and step. Units: the meter's own, of the step. Facts and bias as in usage.sql.
SELECT slot AS time, meter, sum(newest) AS quantity
FROM (
  SELECT $__timeInterval(bucket) AS slot, meter, subject, bucket, argMax(toFloat64(value), version) AS newest, argMax(seconds, version) AS measured FROM billing_facts
  WHERE tenant = (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AND meter IN ('api_calls', 'ai_calls', 'plugin_calls', 'payments') AND $__timeFilter(bucket)
  GROUP BY slot, meter, subject, bucket
)
GROUP BY time, meter
ORDER BY time, meter
