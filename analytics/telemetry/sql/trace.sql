-- Purpose: every span of one trace. `allTenants` is 1 only for the operator; the bloom filter on TraceId keeps even that to the granules that hold it.
-- Row grain: one row a span, by start, then span id. Units: nanoseconds; times as ISO 8601 with nanoseconds.
-- Why FINAL: a resent span is one span.
SELECT toFloat64(tenant) AS tenantNumber, lower(hex(TraceId)) AS traceId, lower(hex(SpanId)) AS spanId,
  if(ParentSpanId = toFixedString('', 8), '', lower(hex(ParentSpanId))) AS parentSpanId,
  SpanName AS name, SpanKind AS kind, ServiceName AS service,
  concat(formatDateTime(Timestamp, '%Y-%m-%dT%H:%i:%S', 'UTC'), '.', leftPad(toString(toUnixTimestamp64Nano(Timestamp) % 1000000000), 9, '0'), 'Z') AS start,
  toString(Duration) AS durationNanos, StatusCode AS statusCode, StatusMessage AS statusMessage, SpanAttributes AS attributes, ResourceAttributes AS resource,
  arrayMap((n, t, a) -> (n, toString(toUnixTimestamp64Nano(t)), a), `Events.Name`, `Events.Timestamp`, `Events.Attributes`) AS events,
  arrayMap((t, s, a) -> (t, s, a), `Links.TraceId`, `Links.SpanId`, `Links.Attributes`) AS links
FROM spans FINAL
WHERE TraceId = unhex({traceId:String}) AND ({allTenants:UInt8} = 1 OR tenant = {tenant:UInt32})
ORDER BY Timestamp, spanId
LIMIT {limit:UInt32}

