-- Purpose: network traffic of the ISP by direction over time.
-- Row grain: a direction and step. Units: bits a second of the step. From the minute roll-up: the growth inside each minute and the step from the minute before; a fall or a newer start counts from zero.
-- Bias: the first minute of a series in the range lacks its step. Why FINAL: older versions of a roll-up remain until merged.
WITH
  (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen,
  counters AS (
    SELECT series, any(attributes['network.io.direction']) AS direction, any(temporality) = 'delta' AS is_delta
    FROM series WHERE tenant = chosen AND metric = 'dotmac.network.interface.io' AND kind = 'sum' GROUP BY series
  )
SELECT slot AS time, direction, 8 * sum(grown) / $__interval_s AS traffic
FROM (
  SELECT $__timeInterval(bucket) AS slot, direction,
    increase + multiIf(is_delta OR row_number() OVER w = 1, 0., first < lagInFrame(last) OVER w OR first_start > lagInFrame(last_time) OVER w, first, first - lagInFrame(last) OVER w) AS grown
  FROM (
    SELECT series, bucket, first, last, first_start, last_time, increase FROM series_minute FINAL
    WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM counters) AND tenant = chosen AND series IN (SELECT series FROM counters)
      AND bucket >= $__fromTime - INTERVAL 10 MINUTE AND bucket <= $__toTime
  ) AS m INNER JOIN counters USING (series)
  WINDOW w AS (PARTITION BY series ORDER BY bucket ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
WHERE slot >= toStartOfInterval($__fromTime, INTERVAL $__interval_s second)
GROUP BY time, direction
ORDER BY time, direction
