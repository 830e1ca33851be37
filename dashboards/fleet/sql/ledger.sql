-- Purpose: the first hand-overs of the conservation ledger by hour of occurrence: accepted by the doors, decoded from the log, and of those duplicates.
-- Row grain: an hour or a step of whole hours. Units: records of all signals. Missing is accepted minus decoded and must be 0; the whole ledger is `pulse reconcile`. Why FINAL: a hand-over that was written again is one.
SELECT $__timeInterval(bucket) AS time, sum(t.accepted) AS accepted, sum(t.duplicates) AS duplicates, toInt64(sum(t.accepted)) - toInt64(sum(t.logged)) AS missing
FROM touched AS t FINAL
WHERE $__timeFilter(bucket)
GROUP BY time
ORDER BY time
