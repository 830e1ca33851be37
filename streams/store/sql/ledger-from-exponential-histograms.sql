-- Purpose: rows of exponential_histograms that stand in the table, for the ledger. Row grain: tenant and hour. FINAL: resends are one row.
SELECT tenant, 'metrics' AS signal, 'metrics' AS item, 'stored' AS hop, toStartOfHour(time) AS hour, count() AS taken
FROM exponential_histograms FINAL
WHERE toStartOfHour(time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(time) < toDateTime({toHour:UInt32}, 'UTC')
  AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
