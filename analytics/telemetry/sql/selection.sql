-- Purpose: the series of a metric that fulfil the conditions, before any point is read.
-- Row grain: one row a (kind, temporality, monotonicity, unit, bounds, group); `ids` is its series, comma-separated, `label` the group's attribute values (all attributes when `every` is 1) as JSON.
-- Tie-breaks: ordered by label. FINAL is not needed: repeats of a series row carry the same id and are counted once.
SELECT kind, temporality, monotonic, unit, chosen_bounds AS bounds, label, toFloat64(uniqExact(series)) AS count, arrayStringConcat(arrayMap(id -> toString(id), groupUniqArray(series)), ',') AS ids
FROM (
  SELECT series, kind, temporality, monotonic, unit, bounds AS chosen_bounds,
    if({every:UInt8} = 1, toJSONString(attributes), toJSONString(arrayMap(name -> attributes[name], {groupBy:Array(String)}))) AS label
  FROM series
  WHERE tenant = {tenant:UInt32} AND metric = {metric:String} AND ({kind:String} = '' OR kind = {kind:String})
    AND arrayAll((name, operator, wanted) -> multiIf(operator = '=', attributes[name] = wanted, operator = '!=', attributes[name] != wanted, operator = '=~', match(attributes[name], wanted), NOT match(attributes[name], wanted)),
      {names:Array(String)}, {operators:Array(String)}, {values:Array(String)})
)
GROUP BY kind, temporality, monotonic, unit, chosen_bounds, label
ORDER BY label, kind, temporality, monotonic, unit, chosen_bounds
LIMIT {limit:UInt32}
