-- Purpose: usage events that came again under a known identity with other content, by when they were received. Row grain: conflict. FINAL: re-delivery adds none.
SELECT source, id, formatDateTime(received, '%FT%T.%fZ', 'UTC') AS received_at, payload
FROM usage_conflicts FINAL
WHERE tenant = {tenant:UInt32} AND received >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND received < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
ORDER BY received, partition, offset, source, id
LIMIT {limit:UInt32} OFFSET {skip:UInt32}
