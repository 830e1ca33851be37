-- Purpose: every hand-over of the conservation ledger in the range, added up: what one side handed on and the next one took.
-- Row grain: a receiving side of a hand-over, in the order of the way. Units: records of all tenants, signals and meters; tenant-hours for the three states. Days that are settled only: a day with a pending hour is not added up yet.
-- Why FINAL: an older version of what stands remains until merged.
SELECT hop AS `Handed over to`, sum(handed) AS Handed, sum(taken) AS Taken, sum(duplicates) AS Duplicates, sum(conflicts) AS Conflicts, sum(hours) AS `Tenant-hours`, sum(balanced) AS Balanced, sum(mismatched) AS Mismatched, max(day) AS `Newest day`
FROM ledger_days
WHERE (day, version) IN (SELECT day, version FROM ledger_kept FINAL WHERE source = 'days') AND day >= toDate($__fromTime) AND day <= toDate($__toTime)
GROUP BY hop
ORDER BY indexOf(['accepted', 'logged', 'stored', 'rolled_up', 'rated', 'invoiced'], hop), hop
