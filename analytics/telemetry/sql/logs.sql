-- Purpose: a tenant's log records that fulfil the conditions, newest first.
-- Row grain: one row a log record. Units: nanoseconds since the epoch, 0 when not said; ids in hexadecimal, zeros when there is none: plain columns, because reading a statement full of functions takes longer than a page of rows. Case does not matter; an empty text matches all. `severity` is the lowest number wanted, `severities` the names of such.
-- `tokens` are whole words of the body: the token index skips the granules that hold none of them; `query` is a part of the body.
-- A condition marked `if` is left out when its parameter is not given, so that its columns are not read.
-- Tie-breaks: (time, hash) descending is total, the hash covers the resource too; the cursor is the last row's pair. Why FINAL: a resent record is one record.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi
SELECT toString(toUnixTimestamp64Nano(Timestamp)) AS nanos, SeverityText AS severityText, SeverityNumber AS severityNumber, ServiceName AS service, Body AS body, hex(TraceId) AS traceId, hex(SpanId) AS spanId,
  LogAttributes AS attributes, ResourceAttributes AS resource, TraceFlags AS flags, EventName AS eventName, DroppedAttributes AS droppedAttributes,
  ScopeName AS scopeName, ScopeVersion AS scopeVersion, ScopeAttributes AS scopeAttributes, ScopeSchemaUrl AS scopeSchemaUrl, ResourceSchemaUrl AS resourceSchemaUrl,
  toString(toUnixTimestamp64Nano(ObservedTimestamp)) AS observedNanos, toString(hash) AS identity
FROM log_records FINAL
WHERE tenant = {tenant:UInt32}
  AND toStartOfHour(Timestamp) >= toStartOfHour(lo) AND toStartOfHour(Timestamp) <= toStartOfHour(hi) AND Timestamp >= lo AND Timestamp < hi
  AND (toUnixTimestamp64Nano(Timestamp), hash) < ({beforeNanos:Int64}, {beforeHash:UInt64}) AND Timestamp <= fromUnixTimestamp64Nano({beforeNanos:Int64}, 'UTC') -- if cursor
  AND ({service:String} = '' OR ServiceName = {service:String}) -- if service
  AND ({traceId:String} = '' OR TraceId = unhex({traceId:String})) -- if traceId
  AND ({severity:UInt8} = 0 OR SeverityNumber >= {severity:UInt8} OR (SeverityNumber = 0 AND has({severities:Array(String)}, lower(SeverityText)))) -- if severity
  AND arrayAll((name, operator, wanted) -> multiIf(operator = '=', if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], LogAttributes[name]) = wanted, operator = '!=', if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], LogAttributes[name]) != wanted, operator = '=~', match(if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], LogAttributes[name]), wanted), NOT match(if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], LogAttributes[name]), wanted)), {names:Array(String)}, {operators:Array(String)}, {values:Array(String)}) -- if names
  AND 1 /* tokens */
  AND ({query:String} = '' OR positionCaseInsensitiveUTF8(Body, {query:String}) > 0) -- if query
ORDER BY Timestamp DESC, hash DESC
LIMIT {limit:UInt32}
