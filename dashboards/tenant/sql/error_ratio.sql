-- Purpose: the share of failed requests over time.
-- Row grain: a step with requests. Units: a fraction; failed is status code 500 or above. Rule: what a cumulative histogram counted in a step is its end minus the end of the step before, a stretch with another start counts whole from zero;
-- delta points are added. Bias: a reset without a new start hides what came before it in its step. Why FINAL: a resent delta point would count twice.
WITH
  (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen,
  request_series AS (
    SELECT series, any(temporality) = 'delta' AS is_delta, any(toUInt16OrZero(attributes['http.response.status_code'])) AS code
    FROM series WHERE tenant = chosen AND metric = 'http.server.request.duration' AND kind = 'histogram' GROUP BY series
  ),
  ends AS (
    SELECT series, $__timeInterval(histograms.time) AS slot, start, min(histograms.time) AS begins, max(histograms.time) AS closes, argMin(count, histograms.time) AS beginning, argMax(count, histograms.time) AS ending, sum(count) AS total
    FROM histograms FINAL
    WHERE tenant = chosen AND series IN (SELECT series FROM request_series)
      AND toStartOfHour(histograms.time) >= $__fromTime - INTERVAL 2 HOUR AND toStartOfHour(histograms.time) <= $__toTime
      AND histograms.time >= $__fromTime_ms - INTERVAL 5 MINUTE AND histograms.time <= $__toTime_ms AND bitAnd(flags, 1) = 0
    GROUP BY series, slot, start
  )
SELECT slot AS time, sumIf(seen, code >= 500) / sum(seen) AS `error ratio`
FROM (
  SELECT slot, code,
    multiIf(is_delta, toFloat64(total),
      row_number() OVER w = 1, toFloat64(ending) - toFloat64(beginning),
      start >= lagInFrame(closes) OVER w OR ending < lagInFrame(ending) OVER w, toFloat64(ending),
      toFloat64(ending) - toFloat64(lagInFrame(ending) OVER w)) AS seen
  FROM ends AS e INNER JOIN request_series AS r ON r.series = e.series
  WINDOW w AS (PARTITION BY e.series ORDER BY begins ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WHERE slot >= toStartOfInterval($__fromTime, INTERVAL $__interval_s second)
GROUP BY time
HAVING sum(seen) > 0
ORDER BY time
