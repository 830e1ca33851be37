-- Purpose: rows of spans that stand in the table, for the ledger. Row grain: tenant and hour. FINAL: resends are one row.
SELECT tenant, 'traces' AS signal, 'traces' AS item, 'stored' AS hop, toStartOfHour(Timestamp) AS hour, count() AS taken
FROM spans FINAL
WHERE toStartOfHour(Timestamp) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(Timestamp) < toDateTime({toHour:UInt32}, 'UTC')
  AND Timestamp >= toDateTime64({fromHour:UInt32}, 9, 'UTC') AND Timestamp < toDateTime64({toHour:UInt32}, 9, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
GROUP BY tenant, hour
