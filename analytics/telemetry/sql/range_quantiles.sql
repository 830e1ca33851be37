-- Purpose: quantiles of the values of gauges and sums in steps.
-- Row grain: one row a (group, step). Units: the metric's own; linear between the two neighbouring values (inclusive method).
-- Tie-breaks: equal values are interchangeable. Why FINAL: a resent row would weigh twice. Always from samples: quantiles do not add up from roll-ups.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  chosen AS (
    SELECT series, any(if({groupBy:String} = '', '', attributes[{groupBy:String}])) AS grp
    FROM series WHERE tenant = {tenant:UInt32} AND metric = {metric:String} AND kind IN ('gauge', 'sum') GROUP BY series
  )
SELECT grp, toFloat64(intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64})) AS slot, quantilesExactInclusive(0.5, 0.95, 0.99)(value) AS quantiles
FROM samples FINAL INNER JOIN chosen USING (series)
WHERE tenant = {tenant:UInt32} AND series IN (SELECT series FROM chosen)
  AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi AND bitAnd(flags, 1) = 0
GROUP BY grp, slot
ORDER BY grp, slot
SETTINGS do_not_merge_across_partitions_select_final = 1
