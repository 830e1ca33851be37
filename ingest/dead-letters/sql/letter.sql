-- Purpose: one dead letter with its bytes. Row grain: one row. Why FINAL: a redelivered poison batch is written again. tenant: engine number, 0 when the envelope named none.
SELECT tenant, toUnixTimestamp64Milli(at) AS atMs, code, detail, envelope, base64Encode(payload) AS payload, length(payload) AS payloadBytes
FROM dead_letters FINAL
WHERE topic = 'telemetry' AND `partition` = {partition:UInt16} AND offset = {offset:UInt64}
LIMIT 1
