-- Purpose: usage events that came again with other content, by the hour that they name: those of the ledger's duplicates that are none. Row grain: tenant and hour. FINAL: re-delivery adds none.
SELECT tenant, 'events' AS signal, 'events' AS item, 'stored' AS hop, toStartOfHour(occurred) AS hour, count() AS conflicts, sum(toDecimal128(JSONExtractString(payload, 'value'), 12)) AS conflict_sum, toUInt8(1) AS rule
FROM (
  SELECT tenant, payload, parseDateTime64BestEffortOrZero(JSONExtractString(payload, 'time'), 3, 'UTC') AS occurred
  FROM usage_conflicts FINAL
  WHERE {tenant:UInt32} = 0 OR tenant = {tenant:UInt32}
)
WHERE occurred >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND occurred < toDateTime64({toHour:UInt32}, 3, 'UTC')
GROUP BY tenant, hour
