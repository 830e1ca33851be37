-- Purpose: what a metric is and into how many groups it falls, before any point is read.
-- Row grain: one row a (kind, temporality, monotonic, unit). `groups` counts distinct values of the attribute `groupBy` (1 when it is empty).
-- FINAL is not needed: only distinct values are counted.
SELECT kind, temporality, monotonic, unit, toFloat64(uniqExact(series)) AS series,
  toFloat64(uniqExact(if({groupBy:String} = '', '', attributes[{groupBy:String}]))) AS groups
FROM series
WHERE tenant = {tenant:UInt32} AND metric = {metric:String}
GROUP BY kind, temporality, monotonic, unit
ORDER BY kind, temporality, monotonic, unit
