-- Purpose: quantiles of request durations over time.
-- Row grain: a step with requests. Units: seconds, linear within a bucket. Rule and bias as in requests.sql, bucket by bucket; of several bucket layouts the one with the most requests of the step. Why FINAL: a resent delta point would count twice.
WITH
  (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen,
  request_series AS (
    SELECT series, any(series.bounds) AS bounds, any(temporality) = 'delta' AS is_delta
    FROM series WHERE tenant = chosen AND metric = 'http.server.request.duration' AND kind = 'histogram' GROUP BY series
  ),
  ends AS (
    SELECT series, $__timeInterval(histograms.time) AS slot, start, min(histograms.time) AS begins, max(histograms.time) AS closes,
      argMin(bucket_counts, histograms.time) AS beginning, argMax(bucket_counts, histograms.time) AS ending, sumForEach(bucket_counts) AS total
    FROM histograms FINAL
    WHERE tenant = chosen AND series IN (SELECT series FROM request_series)
      AND toStartOfHour(histograms.time) >= $__fromTime - INTERVAL 2 HOUR AND toStartOfHour(histograms.time) <= $__toTime
      AND histograms.time >= $__fromTime_ms - INTERVAL 5 MINUTE AND histograms.time <= $__toTime_ms AND bitAnd(flags, 1) = 0
    GROUP BY series, slot, start
  ),
  grown AS (
    SELECT slot, bounds,
      multiIf(is_delta, arrayMap(c -> toFloat64(c), total),
        row_number() OVER w > 1 AND start >= lagInFrame(closes) OVER w, arrayMap(c -> toFloat64(c), ending),
        arrayMap((e, b) -> greatest(toFloat64(e) - toFloat64(b), 0.), ending, arrayResize(if(row_number() OVER w = 1, beginning, lagInFrame(ending) OVER w), length(ending)))) AS counts
    FROM ends AS e INNER JOIN request_series AS r ON r.series = e.series
    WINDOW w AS (PARTITION BY e.series ORDER BY begins ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  ),
  layouts AS (
    SELECT slot, sumForEach(counts) AS merged, arraySum(merged) AS n, arrayConcat(arrayMap(b -> toFloat64(b), bounds), [inf]) AS uppers, arrayCumSum(merged) AS cumulative
    FROM grown WHERE slot >= toStartOfInterval($__fromTime, INTERVAL $__interval_s second) GROUP BY slot, bounds HAVING n > 0
  )
SELECT slot AS time, argMax(arrayReduce('quantilePrometheusHistogram(0.5)', uppers, cumulative), n) AS p50,
  argMax(arrayReduce('quantilePrometheusHistogram(0.95)', uppers, cumulative), n) AS p95, argMax(arrayReduce('quantilePrometheusHistogram(0.99)', uppers, cumulative), n) AS p99
FROM layouts
GROUP BY time
ORDER BY time
