-- Purpose: which counts stand. Row grain: source and day. Units: day in days since the epoch. FINAL: the newest.
SELECT k.source AS source, toUInt32(k.day) AS day, k.state AS state, k.version AS version, k.digest AS digest, k.rows AS rows
FROM ledger_kept AS k FINAL
WHERE k.day >= toDate({fromDay:UInt32}) AND k.day < toDate({toDay:UInt32})
