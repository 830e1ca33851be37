-- Purpose: a tenant's log records whose body contains the text, newest first.
-- Row grain: one row a log record. Units: time in ISO 8601 with nanoseconds. Case does not matter; an empty text matches all.
-- Tie-breaks: (time, hash) descending is total; the cursor is the last row's pair. Why FINAL: a resent record is one record.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT concat(formatDateTime(Timestamp, '%Y-%m-%dT%H:%i:%S', 'UTC'), '.', leftPad(toString(toUnixTimestamp64Nano(Timestamp) % 1000000000), 9, '0'), 'Z') AS time,
  SeverityText AS severityText, toFloat64(SeverityNumber) AS severityNumber, ServiceName AS service, Body AS body,
  if(TraceId = toFixedString('', 16), '', lower(hex(TraceId))) AS traceId, if(SpanId = toFixedString('', 8), '', lower(hex(SpanId))) AS spanId,
  LogAttributes AS attributes, ResourceAttributes AS resource, concat(toString(toUnixTimestamp64Nano(Timestamp)), '-', toString(hash)) AS position
FROM log_records FINAL
WHERE tenant = {tenant:UInt32}
  AND toStartOfHour(Timestamp) >= toStartOfHour(lo) AND toStartOfHour(Timestamp) <= toStartOfHour(hi) AND Timestamp >= lo AND Timestamp < hi
  AND ({query:String} = '' OR positionCaseInsensitiveUTF8(Body, {query:String}) > 0)
  AND (toUnixTimestamp64Nano(Timestamp), hash) < ({beforeNanos:Int64}, {beforeHash:UInt64})
ORDER BY Timestamp DESC, hash DESC
LIMIT {limit:UInt32}
SETTINGS do_not_merge_across_partitions_select_final = 1
