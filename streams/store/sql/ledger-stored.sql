-- What stands in the tables, by occurred-at hour. One row a (table, tenant, hour). points: rows of samples only, what the roll-ups must account for.
-- FINAL: resends are one row. The hour stands twice in the conditions: for the key and for the partitions.
SELECT 'metrics' AS signal, tenant, toUnixTimestamp(toStartOfHour(time)) AS hour, count() AS rows, count() AS points, '0' AS total
FROM samples FINAL
WHERE toStartOfHour(time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(time) < toDateTime({toHour:UInt32}, 'UTC')
  AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
UNION ALL
SELECT 'metrics' AS signal, tenant, toUnixTimestamp(toStartOfHour(time)) AS hour, count() AS rows, 0 AS points, '0' AS total
FROM histograms FINAL
WHERE toStartOfHour(time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(time) < toDateTime({toHour:UInt32}, 'UTC')
  AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
UNION ALL
SELECT 'metrics' AS signal, tenant, toUnixTimestamp(toStartOfHour(time)) AS hour, count() AS rows, 0 AS points, '0' AS total
FROM exponential_histograms FINAL
WHERE toStartOfHour(time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(time) < toDateTime({toHour:UInt32}, 'UTC')
  AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
UNION ALL
SELECT 'metrics' AS signal, tenant, toUnixTimestamp(toStartOfHour(time)) AS hour, count() AS rows, 0 AS points, '0' AS total
FROM summaries FINAL
WHERE toStartOfHour(time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(time) < toDateTime({toHour:UInt32}, 'UTC')
  AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
UNION ALL
SELECT 'traces' AS signal, tenant, toUnixTimestamp(toStartOfHour(Timestamp)) AS hour, count() AS rows, 0 AS points, '0' AS total
FROM spans FINAL
WHERE toStartOfHour(Timestamp) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(Timestamp) < toDateTime({toHour:UInt32}, 'UTC')
  AND Timestamp >= toDateTime64({fromHour:UInt32}, 9, 'UTC') AND Timestamp < toDateTime64({toHour:UInt32}, 9, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
UNION ALL
SELECT 'logs' AS signal, tenant, toUnixTimestamp(toStartOfHour(Timestamp)) AS hour, count() AS rows, 0 AS points, '0' AS total
FROM log_records FINAL
WHERE toStartOfHour(Timestamp) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(Timestamp) < toDateTime({toHour:UInt32}, 'UTC')
  AND Timestamp >= toDateTime64({fromHour:UInt32}, 9, 'UTC') AND Timestamp < toDateTime64({toHour:UInt32}, 9, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
UNION ALL
SELECT 'events' AS signal, tenant, toUnixTimestamp(toStartOfHour(time)) AS hour, count() AS rows, 0 AS points, toString(sum(value)) AS total
FROM usage_events FINAL
WHERE toStartOfHour(time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(time) < toDateTime({toHour:UInt32}, 'UTC')
  AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
