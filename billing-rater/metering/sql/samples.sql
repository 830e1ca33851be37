-- Purpose: the samples behind facts of a time-weighted meter, from 15 minutes before the range (they may hold into it). Row grain: sample.
-- Units: value as the shortest decimal text of the double, as it is billed. Samples carry no log position: a late one shows here before the facts are computed anew. FINAL: a resent point is one row.
SELECT toString(p.series) AS series, formatDateTime(p.time, '%FT%T.%fZ', 'UTC') AS occurred_at, toString(p.value) AS value, p.flags AS flags,
  arrayStringConcat(arraySort(own.items), ' ') AS attributes
FROM samples AS p FINAL
INNER JOIN (SELECT series, items FROM series FINAL WHERE tenant = {tenant:UInt32} AND metric = {metric:String}) AS own ON own.series = p.series
WHERE p.tenant = {tenant:UInt32} AND p.series IN (SELECT series FROM series WHERE tenant = {tenant:UInt32} AND metric = {metric:String})
  AND toStartOfHour(p.time) >= toStartOfHour(toDateTime({start:UInt32} - 900, 'UTC'))
  AND p.time >= toDateTime64({start:UInt32} - 900, 3, 'UTC') AND p.time < toDateTime64({end:UInt32}, 3, 'UTC')
ORDER BY p.time, p.series
LIMIT {limit:UInt32} OFFSET {skip:UInt32}
