-- Purpose: points that stand in the table for counter meters, for the ledger. Fewer are rated: the first of a series without a known start and those of a second writer count nothing.
-- Row grain: tenant, meter, hour. Units: handed = usable points. FINAL: a resent or rewritten point counts once.
WITH
  metrics AS (SELECT m.1 AS metric, m.2 AS meter FROM (SELECT arrayJoin(JSONExtract({metrics:String}, 'Array(Tuple(String, String))')) AS m)),
  own AS (
    SELECT s.tenant AS tenant, s.series AS series, any(metrics.meter) AS meter
    FROM series AS s INNER JOIN metrics ON metrics.metric = s.metric
    WHERE s.metric IN (SELECT metric FROM metrics) AND s.kind = 'sum' AND s.monotonic AND ({tenant:UInt32} = 0 OR s.tenant = {tenant:UInt32})
    GROUP BY tenant, series
  )
SELECT p.tenant AS tenant, 'metrics' AS signal, own.meter AS item, 'rated' AS hop, toStartOfHour(p.time) AS hour, count() AS handed, toUInt8(2) AS rule
FROM samples AS p FINAL INNER JOIN own ON own.tenant = p.tenant AND own.series = p.series
WHERE p.series IN (SELECT series FROM own) AND ({tenant:UInt32} = 0 OR p.tenant = {tenant:UInt32})
  AND toStartOfHour(p.time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(p.time) < toDateTime({toHour:UInt32}, 'UTC')
  AND p.time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND p.time < toDateTime64({toHour:UInt32}, 3, 'UTC')
  AND bitAnd(p.flags, 7) = 0 AND isFinite(p.value) AND abs(p.value) < 1e18
GROUP BY tenant, item, hour
