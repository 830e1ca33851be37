-- Increase of monotonic sums a metric and hour from the hour facts, edges included: the step from the last fact of the 24 hours before belongs to the later hour.
-- Recomputed for the touched hours and the 24 after them, because a late hour changes the edge of the next. FINAL: only the newest version of a fact.
-- On the edge: a first point with nothing before it counts from zero when its start is known and at most 24 hours before the hour; a start at or after the last point of the hour before is a reset;
-- another start, or a second writer on either side, leaves the edge out. Delta sums are added up.
INSERT INTO usage_hour (tenant, metric, bucket, increase, count, version)
SELECT tenant, metric, bucket, sum(grown), sum(points), {version:UInt64}
FROM (
  SELECT
    f.tenant AS tenant, s.metric AS metric, f.bucket AS bucket, f.count AS points,
    multiIf(
      s.temporality = 'delta', f.sum,
      f.previous_bucket < f.bucket - 86400, f.increase + if(f.first_start >= f.bucket - 86400 AND f.first_start < f.first_time, f.first, 0),
      f.first_start > f.previous_start AND f.first_start >= f.previous_time, f.increase + if(f.first_start < f.first_time, f.first, 0),
      f.overlaps > 0 OR f.previous_overlaps > 0 OR abs(dateDiff('millisecond', f.first_start, f.previous_start)) > 1000, f.increase,
      f.first < f.previous_last, f.increase + f.first,
      f.increase + f.first - f.previous_last
    ) AS grown
  FROM (
    SELECT
      tenant, series, bucket, count, sum, first, first_start, first_time, increase, overlaps,
      lagInFrame(bucket) OVER w AS previous_bucket, lagInFrame(last) OVER w AS previous_last, lagInFrame(last_time) OVER w AS previous_time,
      lagInFrame(last_start) OVER w AS previous_start, lagInFrame(overlaps) OVER w AS previous_overlaps
    FROM series_hour FINAL
    WHERE tenant IN {tenants:Array(UInt32)}
      AND bucket >= toDateTime({fromHour:UInt32}, 'UTC') - 86400 AND bucket <= toDateTime({toHour:UInt32}, 'UTC') + 86400
    WINDOW w AS (PARTITION BY tenant, series ORDER BY bucket ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
  ) AS f
  INNER JOIN (
    SELECT tenant, series, metric, temporality FROM series FINAL WHERE kind = 'sum' AND monotonic AND tenant IN {tenants:Array(UInt32)}
  ) AS s ON f.tenant = s.tenant AND f.series = s.series
  WHERE f.bucket >= toDateTime({fromHour:UInt32}, 'UTC')
)
GROUP BY tenant, metric, bucket
