-- Purpose: when tenants were last heard of, by the hand-overs of batches that hold something of the hours from `since` on.
-- Row grain: one row a tenant that sent such a batch. Units: milliseconds since the epoch; `lastSeenMs` received-at of the newest batch. max() is insensitive to duplicates, so no FINAL.
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(toUnixTimestamp64Milli(max(at))) AS lastSeenMs
FROM touched WHERE signal IN ('metrics', 'traces', 'logs', 'events') AND tenant IN {tenants:Array(UInt32)} AND bucket >= toStartOfHour(toDateTime(intDiv({since:Int64}, 1000), 'UTC')) GROUP BY tenant ORDER BY tenantNumber
