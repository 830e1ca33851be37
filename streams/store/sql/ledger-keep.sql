-- Purpose: remembers which counts stand, for which state. Row grain: source and day. Units: day in days since the epoch.
INSERT INTO ledger_kept (source, day, state, version, digest, rows, at)
SELECT k.1, toDate(k.2), k.3, k.4, k.5, k.6, fromUnixTimestamp64Milli({at:Int64}, 'UTC')
FROM (SELECT arrayJoin(JSONExtract({kept:String}, 'Array(Tuple(String, UInt32, String, UInt64, UInt64, UInt64))')) AS k)
