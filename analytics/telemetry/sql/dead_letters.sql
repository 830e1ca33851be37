-- Purpose: records that could not be stored, newest first; without their bytes, which the replay reads.
-- Row grain: one row a log record. Tie-breaks: (at, partition, offset) descending; topic is the same for all of them in practice and stands last.
-- Why FINAL: a redelivered poison batch is written again.
SELECT toFloat64(tenant) AS tenantNumber, toFloat64(toUnixTimestamp64Milli(at)) AS atMs, topic, toFloat64(partition) AS part, toString(offset) AS off,
  code, detail, envelope, toFloat64(length(payload)) AS payloadBytes
FROM dead_letters FINAL
WHERE ({allTenants:UInt8} = 1 OR tenant = {tenant:UInt32})
  AND (toUnixTimestamp64Milli(at), partition, offset) < ({beforeMs:Int64}, {beforePartition:UInt32}, {beforeOffset:UInt64})
ORDER BY at DESC, partition DESC, offset DESC
LIMIT {limit:UInt32}
