-- Purpose: what the probes said of each component over time, for a state timeline.
-- Row grain: a component and step of the range. Units: state 0 up, 1 degraded, 2 down, 3 unmeasured; a step is as bad as its worst point. A step is not shorter than 5 minutes, the longest pause between points that still counts as measured.
-- Why FINAL: a resent point may carry another value.
WITH
  (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring}) AS chosen,
  probes AS (
    SELECT series, any(attributes['status']) AS status, any(attributes['component']) AS component
    FROM series WHERE tenant = chosen AND metric = 'dotmac.health.status' GROUP BY series
  ),
  states AS (
    SELECT toUnixTimestamp($__timeInterval(time)) AS slot, component, max(multiIf(status = 'degraded', 1, status = 'down' OR value < 0.5, 2, 0)) AS worst, 1 AS measured
    FROM (
      SELECT series, time, value FROM samples FINAL
      WHERE tenant = chosen AND series IN (SELECT series FROM probes)
        AND toStartOfHour(time) >= $__fromTime - INTERVAL 1 HOUR AND toStartOfHour(time) <= $__toTime 
        AND time >= toDateTime64(intDiv(toUnixTimestamp($__fromTime), $__interval_s) * $__interval_s, 3, 'UTC') AND time <= $__toTime_ms AND bitAnd(flags, 1) = 0
    ) AS points INNER JOIN probes USING (series)
    GROUP BY slot, component
  )
SELECT toDateTime(grid.slot, 'UTC') AS time, grid.component AS component, if(s.measured = 1, s.worst, 3) AS state
FROM (
  SELECT component, arrayJoin(range(intDiv(toUnixTimestamp($__fromTime), $__interval_s) * $__interval_s, toUnixTimestamp($__toTime), $__interval_s)) AS slot
  FROM (SELECT DISTINCT component FROM probes)
) AS grid
LEFT JOIN states AS s ON s.slot = grid.slot AND s.component = grid.component
ORDER BY time, component
