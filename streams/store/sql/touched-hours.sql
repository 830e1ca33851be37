-- Hours for which a signal of these tenants was ever handed over. One row a (tenant, hour).
SELECT DISTINCT tenant, toUnixTimestamp(bucket) AS hour
FROM touched
WHERE signal = {signal:String} AND tenant IN {tenants:Array(UInt32)}
