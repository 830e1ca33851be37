-- Purpose: the values of one attribute of a metric, or of all metrics of a tenant when none is named.
-- Row grain: one row a value. `series` counts the series that carry it. Tie-breaks: by value.
-- FINAL is not needed: only distinct series are counted.
SELECT attributes[{attribute:String}] AS value, toFloat64(uniqExact(series)) AS series
FROM series
WHERE tenant = {tenant:UInt32} AND ({metric:String} = '' OR metric = {metric:String}) AND mapContains(attributes, {attribute:String})
  AND ({search:String} = '' OR positionCaseInsensitiveUTF8(attributes[{attribute:String}], {search:String}) > 0)
  AND arrayAll((name, operator, wanted) -> multiIf(operator = '=', attributes[name] = wanted, operator = '!=', attributes[name] != wanted, operator = '=~', match(attributes[name], wanted), NOT match(attributes[name], wanted)),
    {names:Array(String)}, {operators:Array(String)}, {values:Array(String)})
GROUP BY value
HAVING {first:UInt8} = 1 OR value > {after:String}
ORDER BY value
LIMIT {limit:UInt32}
