-- Usage events that came again with other content, by the hour that they name: those of the ledger's duplicates that are none. One row a (tenant, hour). FINAL: re-delivery adds none.
SELECT tenant, toUnixTimestamp(toStartOfHour(time)) AS hour, count() AS conflicts, toString(sum(toDecimal128(JSONExtractString(payload, 'value'), 12))) AS total
FROM (
  SELECT tenant, payload, parseDateTime64BestEffortOrZero(JSONExtractString(payload, 'time'), 3, 'UTC') AS time
  FROM usage_conflicts FINAL
  WHERE {tenant:UInt32} = 0 OR tenant = {tenant:UInt32}
)
WHERE time >= toDateTime64({fromHour:UInt32}, 3, 'UTC') AND time < toDateTime64({toHour:UInt32}, 3, 'UTC')
GROUP BY tenant, hour
