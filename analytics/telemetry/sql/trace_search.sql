-- Purpose: traces with a span that fulfils the conditions, by their newest such span, with a summary of each trace.
-- Row grain: one row a trace. `matched` counts distinct spans that fulfil the conditions, `spans` all stored spans of the trace within a day around the range. Units: nanoseconds; times as ISO 8601 with nanoseconds.
-- A condition marked `if` is left out when its parameter is not given, so that its columns are not read.
-- Tie-breaks: (newest matching start, trace id) descending is total; the cursor is the last row's pair. FINAL is not needed: spans are counted by distinct id, the rest is min, max and any.
WITH
  fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS lo,
  fromUnixTimestamp64Milli({end:Int64}, 'UTC') AS hi,
  fromUnixTimestamp64Milli({start:Int64} - 86400000, 'UTC') AS around_lo,
  fromUnixTimestamp64Milli({end:Int64} + 86400000, 'UTC') AS around_hi,
  found AS (
    SELECT TraceId, max(Timestamp) AS newest, uniqExact(SpanId) AS matched
    FROM spans
    WHERE tenant = {tenant:UInt32}
      AND toStartOfHour(Timestamp) >= toStartOfHour(lo) AND toStartOfHour(Timestamp) <= toStartOfHour(hi) AND Timestamp >= lo AND Timestamp < hi
      AND ({service:String} = '' OR ServiceName = {service:String}) -- if service
      AND ({operation:String} = '' OR SpanName = {operation:String}) -- if operation
      AND ({status:String} = '' OR StatusCode = {status:String}) -- if status
      AND Duration >= {minDuration:UInt64} AND Duration <= {maxDuration:UInt64} -- if duration
      AND ({query:String} = '' OR positionCaseInsensitiveUTF8(SpanName, {query:String}) > 0 OR positionCaseInsensitiveUTF8(StatusMessage, {query:String}) > 0) -- if query
          AND arrayAll((name, operator, wanted) -> multiIf(operator = '=', if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], SpanAttributes[name]) = wanted, operator = '!=', if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], SpanAttributes[name]) != wanted, operator = '=~', match(if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], SpanAttributes[name]), wanted), NOT match(if(startsWith(name, 'resource.'), ResourceAttributes[substring(name, 10)], SpanAttributes[name]), wanted)), {names:Array(String)}, {operators:Array(String)}, {values:Array(String)}) -- if names
    GROUP BY TraceId
    HAVING (toUnixTimestamp64Nano(newest), TraceId) < ({beforeNanos:Int64}, toFixedString(unhex({beforeTrace:String}), 16))
    ORDER BY newest DESC, TraceId DESC
    LIMIT {limit:UInt32}
  )
SELECT lower(hex(s.TraceId)) AS traceId, toString(toUnixTimestamp64Nano(any(f.newest))) AS newestNanos,
  concat(formatDateTime(min(s.Timestamp), '%Y-%m-%dT%H:%i:%S', 'UTC'), '.', leftPad(toString(toUnixTimestamp64Nano(min(s.Timestamp)) % 1000000000), 9, '0'), 'Z') AS start,
  toString(max(toUnixTimestamp64Nano(s.Timestamp) + s.Duration) - min(toUnixTimestamp64Nano(s.Timestamp))) AS durationNanos,
  toFloat64(uniqExact(s.SpanId)) AS spans, toFloat64(uniqExactIf(s.SpanId, s.StatusCode = {errorStatus:String})) AS errors, toFloat64(any(f.matched)) AS matched,
  arraySort(groupUniqArray(50)(s.ServiceName)) AS services,
  argMin(s.SpanName, (s.ParentSpanId != toFixedString('', 8), s.Timestamp, s.SpanId)) AS rootName, argMin(s.ServiceName, (s.ParentSpanId != toFixedString('', 8), s.Timestamp, s.SpanId)) AS rootService
FROM spans AS s
INNER JOIN found AS f ON f.TraceId = s.TraceId
WHERE s.tenant = {tenant:UInt32} AND s.TraceId IN (SELECT TraceId FROM found)
  AND toStartOfHour(s.Timestamp) >= toStartOfHour(around_lo) AND toStartOfHour(s.Timestamp) <= toStartOfHour(around_hi) AND s.Timestamp >= around_lo AND s.Timestamp < around_hi
GROUP BY s.TraceId
ORDER BY any(f.newest) DESC, s.TraceId DESC
