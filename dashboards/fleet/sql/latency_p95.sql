-- Purpose: the 95th percentile of request durations by tenant over time, of the ten slowest tenants of the range.
-- Row grain: a tenant and step with requests. Units: seconds, linear within a bucket. Rule and bias as in tenants.sql, a step at a time; of several bucket layouts the one with the most requests of the step.
-- Why FINAL: a resent delta point would count twice.
WITH
  request_series AS (
    SELECT tenant, series, any(series.bounds) AS bounds, any(temporality) = 'delta' AS is_delta
    FROM series WHERE metric = 'http.server.request.duration' AND kind = 'histogram' GROUP BY tenant, series
  ),
  ends AS (
    SELECT tenant, series, $__timeInterval(histograms.time) AS slot, start, min(histograms.time) AS begins, max(histograms.time) AS closes,
      argMin(bucket_counts, histograms.time) AS beginning, argMax(bucket_counts, histograms.time) AS ending, sumForEach(bucket_counts) AS total
    FROM histograms FINAL
    WHERE (tenant, series) IN (SELECT tenant, series FROM request_series) AND tenant IN (SELECT tenant FROM tenants)
      AND toStartOfHour(histograms.time) >= $__fromTime - INTERVAL 2 HOUR AND toStartOfHour(histograms.time) <= $__toTime
      AND histograms.time >= $__fromTime_ms - INTERVAL 5 MINUTE AND histograms.time <= $__toTime_ms AND bitAnd(flags, 1) = 0
    GROUP BY tenant, series, slot, start
  ),
  grown AS (
    SELECT e.tenant AS tenant, slot, bounds,
      multiIf(is_delta, arrayMap(c -> toFloat64(c), total),
        row_number() OVER w > 1 AND start >= lagInFrame(closes) OVER w, arrayMap(c -> toFloat64(c), ending),
        arrayMap((e, b) -> greatest(toFloat64(e) - toFloat64(b), 0.), ending, arrayResize(if(row_number() OVER w = 1, beginning, lagInFrame(ending) OVER w), length(ending)))) AS counts
    FROM ends AS e INNER JOIN request_series AS r ON r.tenant = e.tenant AND r.series = e.series
    WINDOW w AS (PARTITION BY e.tenant, e.series ORDER BY begins ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  ),
  layouts AS (
    SELECT tenant, slot, bounds, sumForEach(counts) AS merged, arraySum(merged) AS n FROM grown WHERE slot >= toStartOfInterval($__fromTime, INTERVAL $__interval_s second) GROUP BY tenant, slot, bounds HAVING n > 0
  ),
  steps AS (
    SELECT tenant, slot, argMax(arrayReduce('quantilePrometheusHistogram(0.95)', arrayConcat(arrayMap(b -> toFloat64(b), bounds), [inf]), arrayCumSum(merged)), n) AS p95 FROM layouts GROUP BY tenant, slot
  )
SELECT slot AS time, t.id AS tenant, p95
FROM steps INNER JOIN (SELECT tenant, id FROM tenants FINAL) AS t ON t.tenant = steps.tenant
WHERE steps.tenant IN (SELECT tenant FROM steps GROUP BY tenant ORDER BY avg(p95) DESC, tenant LIMIT 10)
ORDER BY time, tenant
