-- Purpose: what stands in the tables for time-weighted meters, for the ledger, by another way than the facts are computed: samples by whole second and group, the seconds each holds, and the sum of value × seconds.
-- Row grain: tenant, meter, hour. Units: handed = usable samples, handed_sum = unit-seconds, handed_seconds = measured seconds. Rule as in insert-time-weighted-facts. FINAL: a resent or rewritten point counts once.
WITH
  metrics AS (SELECT m.1 AS metric, m.2 AS meter FROM (SELECT arrayJoin(JSONExtract({metrics:String}, 'Array(Tuple(String, String))')) AS m)),
  own AS (
    SELECT s.tenant AS tenant, s.series AS series, any(metrics.meter) AS meter, any(sipHash64(arraySort(arrayFilter(item -> NOT startsWith(item, 'resource.'), s.items)))) AS label
    FROM series AS s INNER JOIN metrics ON metrics.metric = s.metric
    WHERE s.metric IN (SELECT metric FROM metrics) AND ({tenant:UInt32} = 0 OR s.tenant = {tenant:UInt32})
    GROUP BY tenant, series
  ),
  seconds AS (
    SELECT p.tenant AS tenant, own.meter AS meter, own.label AS label, toInt64(toUnixTimestamp(p.time)) AS second, argMax(if(bitAnd(p.flags, 3) = 0 AND isFinite(p.value) AND abs(p.value) < 1e18, p.value, nan), (p.time, p.series)) AS value
    FROM samples AS p FINAL INNER JOIN own ON own.tenant = p.tenant AND own.series = p.series
    WHERE p.series IN (SELECT series FROM own) AND ({tenant:UInt32} = 0 OR p.tenant = {tenant:UInt32})
      AND toStartOfHour(p.time) >= toDateTime({fromHour:UInt32} - 3600, 'UTC') AND toStartOfHour(p.time) < toDateTime({toHour:UInt32}, 'UTC')
      AND p.time >= toDateTime64({fromHour:UInt32} - 900, 3, 'UTC') AND p.time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND bitAnd(p.flags, 4) = 0
    GROUP BY tenant, meter, label, second
  ),
  lines AS (
    SELECT tenant, meter, arraySort(groupArray((second, value))) AS points, arrayPushBack(arrayMap(p -> p.1, arraySlice(points, 2)), toInt64(4294967295)) AS nexts
    FROM seconds GROUP BY tenant, meter, label
  ),
  held AS (
    SELECT tenant, meter, point.1 AS second, toDecimal256(toString(point.2), 12) AS amount, least(second + 900, after) AS finish
    FROM (SELECT tenant, meter, points, nexts FROM lines) ARRAY JOIN points AS point, nexts AS after
    WHERE isFinite(point.2)
  )
SELECT tenant, 'metrics' AS signal, meter AS item, 'rated' AS hop, toDateTime(start, 'UTC') AS hour, sum(counted) AS handed, sum(amount * (ends - begins)) AS handed_sum, intervalLengthSum(begins, ends) AS handed_seconds, toUInt8(1) AS rule
FROM (
  SELECT tenant, meter, amount, start, greatest(second, start) AS begins, least(finish, start + 3600) AS ends, toUInt64(second >= start) AS counted
  FROM held ARRAY JOIN arrayDistinct([toInt64(intDiv(second, 3600) * 3600), toInt64(intDiv(finish - 1, 3600) * 3600)]) AS start
  WHERE start >= {fromHour:UInt32} AND start < {toHour:UInt32}
)
GROUP BY tenant, meter, start
