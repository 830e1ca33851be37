-- Purpose: how old the newest stored batch is, and how many hours wait for the roll-ups, at the end of the range.
-- Row grain: exactly one row. Units: seconds, null when nothing was stored within two days; tenant-hours of the last two days whose samples are newer than their roll-up.
-- max() is insensitive to repeated hand-overs, so no FINAL for them; of roll-ups the highest version counts.
WITH due AS (
  SELECT tenant, bucket, max(seq) AS newest, max(at) AS last_at FROM touched WHERE signal = 'metrics' AND bucket >= $__toTime - INTERVAL 2 DAY AND at <= $__toTime_ms GROUP BY tenant, bucket
)
SELECT if(count() = 0, NULL, greatest(0, toFloat64(toUnixTimestamp64Milli($__toTime_ms) - toUnixTimestamp64Milli(max(last_at))) / 1000)) AS `Newest batch`, countIf(newest > r.version) AS `Hours behind`
FROM due LEFT JOIN (SELECT tenant, bucket, max(version) AS version FROM rolled WHERE signal = 'metrics' AND bucket >= $__toTime - INTERVAL 2 DAY GROUP BY tenant, bucket) AS r ON r.tenant = due.tenant AND r.bucket = due.bucket
