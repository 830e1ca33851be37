-- Purpose: failed and slow traces of the range, the failed ones first, then the slowest.
-- Row grain: a trace with a span that begins in the range. Units: Duration nanoseconds from the first span's begin to the last one's end. Ids in hexadecimal. Bias: spans of the trace outside the range are left out.
-- Why FINAL: a resent span is one.
SELECT lower(hex(TraceId)) AS `Trace ID`, min(Timestamp) AS Start, argMin(SpanName, (ParentSpanId != toFixedString('', 8), Timestamp, SpanId)) AS Operation, argMin(ServiceName, (ParentSpanId != toFixedString('', 8), Timestamp, SpanId)) AS Service,
  toFloat64(max(toUnixTimestamp64Nano(Timestamp) + Duration) - min(toUnixTimestamp64Nano(Timestamp))) AS Duration, count() AS Spans, countIf(StatusCode = 'Error') AS Errors
FROM spans FINAL
WHERE tenant = (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring})
  AND toStartOfHour(Timestamp) >= $__fromTime - INTERVAL 1 HOUR AND toStartOfHour(Timestamp) <= $__toTime AND $__timeFilter_ms(Timestamp)
GROUP BY TraceId
ORDER BY Errors > 0 DESC, Duration DESC, `Trace ID`
LIMIT 100
