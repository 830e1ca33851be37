-- Purpose: the metrics of a tenant, optionally those whose name begins with `prefix` and contains `search`, case aside.
-- Row grain: one row a (name, kind, unit); `series` counts distinct attribute sets.
-- Tie-breaks: ordered by name, kind, unit, so `after` (the last row's three fields) continues exactly.
-- FINAL is not needed: duplicates of a series row carry the same id and are counted once.
SELECT metric AS name, kind, unit, toFloat64(uniqExact(series)) AS series
FROM series
WHERE tenant = {tenant:UInt32} AND startsWith(metric, {prefix:String}) AND ({search:String} = '' OR positionCaseInsensitiveUTF8(metric, {search:String}) > 0)
  AND (metric > {afterName:String} OR (metric = {afterName:String} AND (toString(kind), toString(unit)) > ({afterKind:String}, {afterUnit:String})))
GROUP BY metric, kind, unit
ORDER BY name, kind, unit
LIMIT {limit:UInt32}
