-- Purpose: the newest point of each series of a tenant, of one metric or of all.
-- Row grain: one row a series with a point in the range, ordered by metric and series. Units: `at` milliseconds, `value` the metric's own.
-- Tie-breaks: none, a millisecond is one point. FINAL is not needed: an equal row is the same newest point.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT s.name AS metric, s.its_unit AS unit, s.label AS label, toFloat64(toUnixTimestamp64Milli(p.at)) AS at, p.newest AS value, toString(p.series) AS id
FROM (
  SELECT series, max(time) AS at, argMax(value, time) AS newest
  FROM samples
  WHERE tenant = {tenant:UInt32} AND toStartOfHour(time) >= toStartOfHour(lo) AND toStartOfHour(time) <= toStartOfHour(hi) AND time >= lo AND time < hi
    AND ({metric:String} = '' OR series IN (SELECT series FROM series WHERE tenant = {tenant:UInt32} AND metric = {metric:String}))
    AND bitAnd(flags, 1) = 0 AND isFinite(value)
  GROUP BY series
) AS p
INNER JOIN (
  SELECT series, any(series.metric) AS name, any(series.unit) AS its_unit, any(toJSONString(attributes)) AS label
  FROM series
  WHERE tenant = {tenant:UInt32} AND ({metric:String} = '' OR metric = {metric:String})
    AND arrayAll((attribute, operator, wanted) -> multiIf(operator = '=', attributes[attribute] = wanted, operator = '!=', attributes[attribute] != wanted, operator = '=~', match(attributes[attribute], wanted), NOT match(attributes[attribute], wanted)),
      {names:Array(String)}, {operators:Array(String)}, {values:Array(String)})
  GROUP BY series
) AS s ON s.series = p.series
WHERE (s.name, p.series) > ({afterMetric:String}, {afterSeries:UInt64})
ORDER BY s.name, p.series
LIMIT {limit:UInt32}
