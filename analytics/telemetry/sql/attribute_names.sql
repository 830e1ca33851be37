-- Purpose: the attribute names of a metric, or of all metrics of a tenant when none is named.
-- Row grain: one row a name. `values` counts distinct values, `series` the series that carry it. Tie-breaks: by name.
-- FINAL is not needed: only distinct values are counted.
SELECT entry.1 AS name, toFloat64(uniqExact(entry.2)) AS values, toFloat64(uniqExact(series)) AS series
FROM (
  SELECT series, arrayJoin(CAST(attributes, 'Array(Tuple(String, String))')) AS entry
  FROM series
  WHERE tenant = {tenant:UInt32} AND ({metric:String} = '' OR metric = {metric:String})
    AND arrayAll((name, operator, wanted) -> multiIf(operator = '=', attributes[name] = wanted, operator = '!=', attributes[name] != wanted, operator = '=~', match(attributes[name], wanted), NOT match(attributes[name], wanted)),
      {names:Array(String)}, {operators:Array(String)}, {values:Array(String)})
)
WHERE {search:String} = '' OR positionCaseInsensitiveUTF8(name, {search:String}) > 0
GROUP BY name
HAVING name > {after:String}
ORDER BY name
LIMIT {limit:UInt32}
