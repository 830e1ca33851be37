-- Purpose: what stands in the kept days, so that lost or altered rows are noticed. Row grain: day and version. Units: day in days since the epoch.
SELECT 'days' AS source, toUInt32(c.day) AS day, c.version AS version, count() AS rows,
  sum(cityHash64(tenant, item, hop, hours, balanced, pending, mismatched, handed, taken, duplicates, conflicts, handed_sum, taken_sum, duplicate_sum, conflict_sum, exact)) AS digest
FROM ledger_days AS c
WHERE (c.day, c.version) IN (SELECT toDate(k.2), k.3 FROM (SELECT arrayJoin(JSONExtract({versions:String}, 'Array(Tuple(String, UInt32, UInt64))')) AS k))
GROUP BY c.day, c.version
