-- Purpose: what stands in the kept counts, so that lost or altered rows are noticed. Row grain: source, day and version. Units: day in days since the epoch.
SELECT c.source AS source, toUInt32(c.day) AS day, c.version AS version, count() AS rows,
  sum(cityHash64(tenant, signal, item, hop, hour, handed, taken, duplicates, conflicts, handed_sum, taken_sum, duplicate_sum, conflict_sum, handed_seconds, taken_seconds, (reach, done, partition, rule))) AS digest
FROM ledger_counts AS c
WHERE (c.source, c.day, c.version) IN (SELECT k.1, toDate(k.2), k.3 FROM (SELECT arrayJoin(JSONExtract({versions:String}, 'Array(Tuple(String, UInt32, UInt64))')) AS k))
GROUP BY c.source, c.day, c.version
