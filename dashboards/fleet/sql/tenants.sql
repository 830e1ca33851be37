-- Purpose: every tenant with the figures that say whether it is in trouble, the worst first.
-- Row grain: one row a tenant that is not cancelled. Units: Health 0 up, 1 degraded, 2 down, 3 unmeasured (at the end of the range); Attainment and Errors fractions, p95 seconds, Requests a second of the range,
-- Budget the fraction of the range's error budget (0.05 % of measured minutes) that is left. What was not measured is null.
-- Rule: what a cumulative histogram counted is its end minus its beginning, a stretch with another start counts whole from zero; delta points are added. Failed: status code 500 or above. Of several bucket layouts of a tenant the one with
-- the most requests gives p95. Bias: what was counted between the last point before the range and the first one in it is left out; a reset without a new start hides what came before it.
-- Tie-breaks: by tenant id. Why FINAL: resent points would count twice, older versions of roll-ups remain until merged.
WITH
  intDiv(toUnixTimestamp($__fromTime), 60) AS first,
  intDiv(toUnixTimestamp($__toTime), 60) + 1 AS last,
  probes AS (
    SELECT tenant, series, any(attributes['status']) AS status,
      any(cityHash64(arraySort(arrayFilter(kv -> kv.1 NOT IN ('status', 'dotmac.fault.domain'), arrayZip(mapKeys(attributes), mapValues(attributes)))))) AS probe
    FROM series WHERE metric = 'dotmac.health.status' GROUP BY tenant, series
  ),
  health_points AS (
    SELECT tenant, series, time, value FROM samples FINAL
    WHERE (tenant, series) IN (SELECT tenant, series FROM probes) AND tenant IN (SELECT tenant FROM tenants)
      AND toStartOfHour(time) >= $__toTime - INTERVAL 2 HOUR AND toStartOfHour(time) <= $__toTime
      AND time >= $__toTime_ms - INTERVAL 5 MINUTE AND time <= $__toTime_ms AND bitAnd(flags, 1) = 0
  ),
  health AS (
    SELECT tenant, max(latest) AS worst, 1 AS measured
    FROM (
      SELECT tenant, probe, argMax(multiIf(status = 'degraded', 1, status = 'down' OR value < 0.5, 2, 0) AS state, (time, state)) AS latest
      FROM health_points INNER JOIN probes USING (tenant, series) GROUP BY tenant, probe
    )
    GROUP BY tenant
  ),
  levels AS (
    SELECT tenant, sum(bitCount(bitAnd(measured, inside))) AS measured_minutes, sum(bitCount(bitAnd(bad, inside))) AS bad_minutes
    FROM (
      SELECT tenant, measured, bad, intDiv(toUnixTimestamp(bucket), 60) AS minute,
        bitAnd(toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, toInt64(last) - minute)))) - 1, bitNot(toUInt64(bitShiftLeft(toUInt64(1), least(60, greatest(0, toInt64(first) - minute)))) - 1)) AS inside
      FROM sla_hour FINAL
      WHERE bucket >= $__fromTime - INTERVAL 1 HOUR AND bucket <= $__toTime
    )
    GROUP BY tenant
  ),
  request_series AS (
    SELECT tenant, series, any(series.bounds) AS bounds, any(temporality) = 'delta' AS is_delta, any(toUInt16OrZero(attributes['http.response.status_code'])) >= 500 AS failed
    FROM series WHERE metric = 'http.server.request.duration' AND kind = 'histogram' GROUP BY tenant, series
  ),
  stretches AS (
    SELECT tenant, series, start, min(time) AS begins, max(time) AS ends, argMin(bucket_counts, time) AS beginning, argMax(bucket_counts, time) AS ending, sumForEach(bucket_counts) AS total
    FROM histograms FINAL
    WHERE (tenant, series) IN (SELECT tenant, series FROM request_series) AND tenant IN (SELECT tenant FROM tenants)
      AND toStartOfHour(time) >= $__fromTime - INTERVAL 1 HOUR AND toStartOfHour(time) <= $__toTime AND $__timeFilter_ms(time) AND bitAnd(flags, 1) = 0
    GROUP BY tenant, series, start
  ),
  grown AS (
    SELECT s.tenant AS tenant, bounds, failed,
      multiIf(is_delta, arrayMap(c -> toFloat64(c), total),
        row_number() OVER w > 1 AND start >= lagInFrame(ends) OVER w, arrayMap(c -> toFloat64(c), ending),
        arrayMap((e, b) -> greatest(toFloat64(e) - toFloat64(b), 0.), ending, arrayResize(beginning, length(ending)))) AS counts
    FROM stretches AS s INNER JOIN request_series AS r ON r.tenant = s.tenant AND r.series = s.series
    WINDOW w AS (PARTITION BY s.tenant, s.series ORDER BY begins ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  ),
  layouts AS (
    SELECT tenant, bounds, sumForEach(counts) AS merged, arraySum(merged) AS n, sumIf(arraySum(counts), failed) AS failed_n FROM grown GROUP BY tenant, bounds HAVING n > 0
  ),
  requests AS (
    SELECT tenant, sum(n) AS seen, sum(failed_n) AS errors, argMax(p95, n) AS latency
    FROM (
      SELECT tenant, n, failed_n,
        arrayReduce('quantilePrometheusHistogram(0.95)', arrayConcat(arrayMap(b -> toFloat64(b), bounds), [inf]), arrayCumSum(merged)) AS p95
      FROM layouts
    )
    GROUP BY tenant
  ),
  customer_points AS (
    SELECT tenant, sum(newest) AS customers
    FROM (
      SELECT tenant, series, argMax(last, bucket) AS newest FROM series_hour FINAL
      WHERE bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM series WHERE metric = 'dotmac.customers.active')
        AND (tenant, series) IN (SELECT tenant, series FROM series WHERE metric = 'dotmac.customers.active') AND bucket >= $__toTime - INTERVAL 3 HOUR AND bucket <= $__toTime
      GROUP BY tenant, series
    )
    GROUP BY tenant
  ),
  heard AS (
    SELECT tenant, max(at) AS last_batch FROM touched WHERE bucket >= $__fromTime - INTERVAL 1 HOUR AND at <= $__toTime_ms GROUP BY tenant
  )
SELECT t.id AS Tenant, t.name AS Name, t.tier AS Tier, if(h.measured = 1, h.worst, 3) AS Health,
  if(l.measured_minutes = 0, NULL, (l.measured_minutes - l.bad_minutes) / l.measured_minutes) AS Attainment,
  if(l.measured_minutes = 0, NULL, 1 - l.bad_minutes / (0.0005 * l.measured_minutes)) AS Budget,
  if(r.seen = 0, NULL, r.errors / r.seen) AS Errors, if(r.seen = 0, NULL, r.latency) AS p95,
  if(r.seen = 0, NULL, r.seen / greatest(1, toUnixTimestamp($__toTime) - toUnixTimestamp($__fromTime))) AS Requests,
  if(c.tenant = 0, NULL, c.customers) AS Customers, if(b.tenant = 0, NULL, b.last_batch) AS `Last batch`
FROM (SELECT tenant, id, name, tier FROM tenants FINAL WHERE state != 'cancelled') AS t
LEFT JOIN health AS h ON h.tenant = t.tenant LEFT JOIN levels AS l ON l.tenant = t.tenant LEFT JOIN requests AS r ON r.tenant = t.tenant
LEFT JOIN customer_points AS c ON c.tenant = t.tenant LEFT JOIN heard AS b ON b.tenant = t.tenant
ORDER BY Health = 2 DESC, Health = 3 DESC, Health DESC, Attainment ASC NULLS LAST, Tenant
LIMIT 1000
