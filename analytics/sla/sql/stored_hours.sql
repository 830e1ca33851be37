-- Purpose: which of the hours in a stretch hold metrics of tenants. Row grain: tenant, UTC hour, each once. Units: hour in seconds since the epoch.
SELECT DISTINCT tenant, toUnixTimestamp(bucket) AS hour FROM touched
WHERE signal = 'metrics' AND tenant IN {tenants:Array(UInt32)} AND bucket >= toDateTime({from:UInt32}, 'UTC') AND bucket < toDateTime({to:UInt32}, 'UTC')
