-- Purpose: the newest log records of the range that contain the text searched for; an empty text finds all.
-- Row grain: a log record. Units: Grafana's own columns of a log line: timestamp, body, level; labels are the service and the trace. Why FINAL: a resent record is one.
SELECT Timestamp AS timestamp, Body AS body, lower(if(SeverityText != '', SeverityText, multiIf(SeverityNumber >= 21, 'fatal', SeverityNumber >= 17, 'error', SeverityNumber >= 13, 'warn', SeverityNumber >= 9, 'info', SeverityNumber >= 5, 'debug', SeverityNumber >= 1, 'trace', 'unknown'))) AS level,
  map('service', toString(ServiceName), 'trace', if(TraceId = toFixedString('', 16), '', lower(hex(TraceId)))) AS labels
FROM log_records FINAL
WHERE tenant = (SELECT tenant FROM tenants FINAL WHERE id = ${tenant:sqlstring})
  AND toStartOfHour(Timestamp) >= $__fromTime - INTERVAL 1 HOUR AND toStartOfHour(Timestamp) <= $__toTime AND $__timeFilter_ms(Timestamp)
  AND positionCaseInsensitiveUTF8(Body, ${search:sqlstring}) > 0
ORDER BY Timestamp DESC, hash DESC
LIMIT 500
