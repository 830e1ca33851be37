-- Purpose: when tenants were last heard of, by the hand-overs of their batches.
-- Row grain: one row a tenant that ever sent something. Units: milliseconds since the epoch, received-at of the newest batch. max() is insensitive to duplicates, so no FINAL.
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(toUnixTimestamp64Milli(max(at))) AS lastSeenMs
FROM touched WHERE tenant IN {tenants:Array(UInt32)} GROUP BY tenant ORDER BY tenantNumber
