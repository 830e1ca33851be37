-- Purpose: what is known of the minutes of tenants. Row grain: tenant and UTC hour that holds a measured minute.
-- Units: hour since the epoch; masks as digits, bit i is minute i. Why FINAL: an older version of an hour remains until merged.
SELECT tenant AS tenantNumber, intDiv(toUnixTimestamp(bucket), 3600) AS hour, measured, bad
FROM sla_hour FINAL
WHERE tenant IN {tenants:Array(UInt32)} AND bucket >= toDateTime({from:UInt32}, 'UTC') AND bucket < toDateTime({to:UInt32}, 'UTC') AND measured != 0
ORDER BY tenant, bucket
