-- Purpose: minutes in which too many requests of a tenant failed.
-- Row grain: one row a tenant and minute whose error ratio is above `limit` with at least `minimum` requests. Units: requests; minutes since the epoch.
-- Rule: what a cumulative series counted between two points is spread evenly over the minutes after the earlier one up to the later one, at most 5 minutes back; a count that
-- fell is a reset and counts whole; the first point of a cumulative series, and one more than an hour after the one before, counts nothing. A delta point counts itself since its start. Failed: status code 500 or above.
-- Tie-breaks: one row a series and millisecond under FINAL. Why FINAL: a resent delta point would count twice.
WITH
  fromUnixTimestamp64Milli({start:Int64} - 3600000, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64} + 300000, 'UTC') AS hi,
  chosen AS (
    SELECT tenant, series, any(temporality) = 'delta' AS delta, any(toUInt16OrZero(attributes['http.response.status_code'])) >= 500 AS failed
    FROM series WHERE tenant IN {tenants:Array(UInt32)} AND metric = 'http.server.request.duration' AND kind = 'histogram' GROUP BY tenant, series
  ),
  edged AS (
    SELECT tenant, series, toUnixTimestamp64Milli(time) AS ms, toUnixTimestamp64Milli(h.start) AS start_ms, toFloat64(h.count) AS n,
      if(ms - lagInFrame(ms) OVER w <= 3600000, lagInFrame(ms) OVER w, 0) AS previous_ms, lagInFrame(n) OVER w AS previous_n
    FROM histograms AS h FINAL
    WHERE tenant IN {tenants:Array(UInt32)} AND series IN (SELECT series FROM chosen)
      AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
    WINDOW w AS (PARTITION BY tenant, series ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  ),
  spread AS (
    SELECT tenant, intDiv(ms, 60000) AS last_minute,
      least(last_minute, greatest(last_minute - 4, intDiv(multiIf(delta AND start_ms > 0, start_ms, previous_ms > 0, previous_ms, ms), 60000) + 1)) AS first_minute,
      sum(multiIf(delta, n, previous_ms = 0, 0., n >= previous_n, n - previous_n, n)) AS seen,
      sumIf(multiIf(delta, n, previous_ms = 0, 0., n >= previous_n, n - previous_n, n), failed) AS seen_failed
    FROM edged INNER JOIN chosen USING (tenant, series)
    GROUP BY tenant, first_minute, last_minute
  )
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(minute) AS minute, sum(requests_share) AS requests, sum(errors_share) AS errors
FROM (
  SELECT tenant, arrayJoin(range(first_minute, last_minute + 1)) AS minute, seen / (last_minute + 1 - first_minute) AS requests_share, seen_failed / (last_minute + 1 - first_minute) AS errors_share
  FROM spread
)
GROUP BY tenant, minute
HAVING requests >= {minimum:Float64} AND errors > {limit:Float64} * requests
ORDER BY tenantNumber, minute
SETTINGS do_not_merge_across_partitions_select_final = 1
