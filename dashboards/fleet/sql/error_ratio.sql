-- Purpose: the share of failed requests by tenant over time, of the ten tenants with the most failures in the range.
-- Row grain: a tenant and step with requests. Units: a fraction. Rule and bias as in tenants.sql, a step at a time; the step before the range lends the first one its beginning.
-- Why FINAL: a resent delta point would count twice.
WITH
  request_series AS (
    SELECT tenant, series, any(temporality) = 'delta' AS is_delta, any(toUInt16OrZero(attributes['http.response.status_code'])) >= 500 AS failed
    FROM series WHERE metric = 'http.server.request.duration' AND kind = 'histogram' GROUP BY tenant, series
  ),
  ends AS (
    SELECT tenant, series, $__timeInterval(histograms.time) AS slot, start, min(histograms.time) AS begins, max(histograms.time) AS closes, argMin(count, histograms.time) AS beginning, argMax(count, histograms.time) AS ending, sum(count) AS total
    FROM histograms FINAL
    WHERE (tenant, series) IN (SELECT tenant, series FROM request_series) AND tenant IN (SELECT tenant FROM tenants)
      AND toStartOfHour(histograms.time) >= $__fromTime - INTERVAL 2 HOUR AND toStartOfHour(histograms.time) <= $__toTime
      AND histograms.time >= $__fromTime_ms - INTERVAL 5 MINUTE AND histograms.time <= $__toTime_ms AND bitAnd(flags, 1) = 0
    GROUP BY tenant, series, slot, start
  ),
  grown AS (
    SELECT e.tenant AS tenant, slot, failed,
      multiIf(is_delta, toFloat64(total),
        row_number() OVER w = 1, toFloat64(ending) - toFloat64(beginning),
        start >= lagInFrame(closes) OVER w OR ending < lagInFrame(ending) OVER w, toFloat64(ending),
        toFloat64(ending) - toFloat64(lagInFrame(ending) OVER w)) AS seen
    FROM ends AS e INNER JOIN request_series AS r ON r.tenant = e.tenant AND r.series = e.series
    WINDOW w AS (PARTITION BY e.tenant, e.series ORDER BY begins ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  ),
  steps AS (
    SELECT tenant, slot, sum(seen) AS requests, sumIf(seen, failed) AS errors FROM grown WHERE slot >= toStartOfInterval($__fromTime, INTERVAL $__interval_s second) GROUP BY tenant, slot HAVING requests > 0
  )
SELECT slot AS time, t.id AS tenant, errors / requests AS `error ratio`
FROM steps INNER JOIN (SELECT tenant, id FROM tenants FINAL) AS t ON t.tenant = steps.tenant
WHERE steps.tenant IN (SELECT tenant FROM steps GROUP BY tenant ORDER BY sum(errors) DESC, tenant LIMIT 10)
ORDER BY time, tenant
