-- Purpose: number points that stand in the table, for the ledger: stored, and to be rolled up. Row grain: tenant, hour and hand-over. FINAL: resends are one row.
-- The hour stands twice in the conditions: for the key and for the partitions.
SELECT tenant, 'metrics' AS signal, 'metrics' AS item, side.1 AS hop, hour, side.2 AS handed, side.3 AS taken
FROM (
  SELECT tenant, toStartOfHour(time) AS hour, count() AS points
  FROM samples FINAL
  WHERE toStartOfHour(time) >= toDateTime({fromHour:UInt32}, 'UTC') AND toStartOfHour(time) < toDateTime({toHour:UInt32}, 'UTC')
    AND time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})
  GROUP BY tenant, hour
) ARRAY JOIN [('stored', toUInt64(0), points), ('rolled_up', points, toUInt64(0))] AS side
