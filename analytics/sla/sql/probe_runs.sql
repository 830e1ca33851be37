-- Purpose: when the probes of tenants said what, reduced to minutes and then to runs.
-- Row grain: one row a run of consecutive measured minutes of a tenant that are all bad or all good. Units: minutes since the epoch, `until` exclusive.
-- Rule: a probe is the health series without `status` and fault domain (a state change is another series, not another probe). A minute with points of a probe is bad when
-- one of them is down; a minute between two points at most 5 minutes apart takes the earlier point's state. A minute of a tenant is bad when any of its probes is.
-- Down: status `down`, or a value below 0.5 unless the status is `degraded`. Tie-breaks: of several last points in one millisecond a down one counts.
-- Why FINAL: a point that was sent again with another value replaces the first.
WITH
  fromUnixTimestamp64Milli({start:Int64} - 300000, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64} + 300000, 'UTC') AS hi,
  probes AS (
    SELECT tenant, series, any(attributes['status']) AS status,
      any(cityHash64(arraySort(arrayFilter(kv -> kv.1 NOT IN ('status', 'dotmac.fault.domain'), arrayZip(mapKeys(attributes), mapValues(attributes)))))) AS probe
    FROM series WHERE tenant IN {tenants:Array(UInt32)} AND metric = 'dotmac.health.status' GROUP BY tenant, series
  ),
  states AS (
    SELECT tenant, probe, time, (status = 'down' OR (value < 0.5 AND status != 'degraded')) AS down
    FROM (
      SELECT tenant, series, time, value FROM samples FINAL
      WHERE tenant IN {tenants:Array(UInt32)} AND series IN (SELECT series FROM probes)
        AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
    ) AS points INNER JOIN probes USING (tenant, series)
  ),
  by_minute AS (
    SELECT tenant, probe, intDiv(toUnixTimestamp64Milli(time), 60000) AS minute, max(down) AS own, argMax(down, (time, down)) AS held,
      toUnixTimestamp64Milli(min(time)) AS first_ms, toUnixTimestamp64Milli(max(time)) AS last_ms
    FROM states GROUP BY tenant, probe, minute
  ),
  followed AS (
    SELECT *, leadInFrame(first_ms) OVER (PARTITION BY tenant, probe ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_ms
    FROM by_minute
  ),
  measured AS (
    SELECT tenant, entry.1 AS minute, max(entry.2) AS bad
    FROM (
      SELECT tenant, arrayJoin(arrayConcat([(minute, own)],
        if(next_ms > 0 AND next_ms - last_ms <= 300000, arrayMap(m -> (toInt64(m), held), range(minute + 1, intDiv(next_ms, 60000))), []))) AS entry
      FROM followed
    )
    GROUP BY tenant, minute
  ),
  islands AS (
    SELECT tenant, minute, bad, minute - toInt64(row_number() OVER (PARTITION BY tenant, bad ORDER BY minute)) AS island FROM measured
  )
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(min(minute)) AS from, toFloat64(max(minute) + 1) AS until, toBool(bad) AS bad
FROM islands
GROUP BY tenant, bad, island
ORDER BY tenantNumber, from
SETTINGS do_not_merge_across_partitions_select_final = 1
