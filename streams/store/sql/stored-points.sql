-- How many of the asked (tenant, series, time) identities stand in a point table. One row a (tenant, hour); distinct, because unmerged parts may hold repeats.
-- The hour stands in the conditions because it is the second column of the key; time bounds prune the day partitions.
SELECT tenant, toUnixTimestamp(toStartOfHour(time)) AS hour, uniqExact(series, time) AS stored
FROM {table:Identifier}
WHERE tenant IN (SELECT tenant FROM keys)
  AND toStartOfHour(time) BETWEEN toDateTime({fromHour:UInt32}, 'UTC') AND toDateTime({toHour:UInt32}, 'UTC')
  AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32} + 3600, 3, 'UTC')
  AND (tenant, toStartOfHour(time), series, time) IN (SELECT tenant, toStartOfHour(time), series, time FROM keys)
GROUP BY tenant, hour
