-- Purpose: every span of one trace. `allTenants` is 1 only for the operator; the bloom filter on TraceId keeps even that to the granules that hold it.
-- Row grain: one row a span, by start, then span id. Units: nanoseconds; ids in hexadecimal, zeros when there is none.
-- Arrays that migration 0006 added are empty in rows of before. Why FINAL: a resent span is one span.
SELECT tenant AS tenantNumber, hex(SpanId) AS spanId, hex(ParentSpanId) AS parentSpanId, SpanName AS name, SpanKind AS kind, ServiceName AS service, toString(toUnixTimestamp64Nano(Timestamp)) AS nanos,
  toString(Duration) AS durationNanos, StatusCode AS statusCode, StatusMessage AS statusMessage, SpanAttributes AS attributes, ResourceAttributes AS resource,
  Flags AS flags, TraceState AS traceState, ScopeName AS scopeName, ScopeVersion AS scopeVersion, ScopeAttributes AS scopeAttributes, ScopeSchemaUrl AS scopeSchemaUrl, ResourceSchemaUrl AS resourceSchemaUrl,
  DroppedAttributes AS droppedAttributes, DroppedEvents AS droppedEvents, DroppedLinks AS droppedLinks,
  arrayMap((n, t, a, d) -> (n, toString(toUnixTimestamp64Nano(t)), a, d), `Events.Name`, `Events.Timestamp`, `Events.Attributes`, arrayResize(`Events.DroppedAttributes`, length(`Events.Name`))) AS events,
  arrayMap((t, s, a, w, f, d) -> (t, s, a, w, f, d), `Links.TraceId`, `Links.SpanId`, `Links.Attributes`, arrayResize(`Links.TraceState`, length(`Links.SpanId`)), arrayResize(`Links.Flags`, length(`Links.SpanId`)),
    arrayResize(`Links.DroppedAttributes`, length(`Links.SpanId`))) AS links
FROM spans FINAL
WHERE TraceId = unhex({traceId:String}) AND ({allTenants:UInt8} = 1 OR tenant = {tenant:UInt32})
ORDER BY Timestamp, spanId
LIMIT {limit:UInt32}

