-- What the roll-ups have read, by hour. One row a (tenant, hour). FINAL: the newest version.
SELECT tenant, toUnixTimestamp(bucket) AS hour, version, rows
FROM rolled FINAL
WHERE signal = 'metrics' AND bucket >= toDateTime({fromHour:UInt32}, 'UTC') AND bucket < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
