-- How many of the asked span identities stand in the table. One row a (tenant, hour); conditions on the hour as in stored-points.
SELECT tenant, toUnixTimestamp(toStartOfHour(Timestamp)) AS hour, uniqExact(ServiceName, Timestamp, TraceId, SpanId) AS stored
FROM spans
WHERE tenant IN (SELECT tenant FROM keys)
  AND toStartOfHour(Timestamp) BETWEEN toDateTime({fromHour:UInt32}, 'UTC') AND toDateTime({toHour:UInt32}, 'UTC')
  AND Timestamp >= toDateTime64({fromHour:UInt32}, 9, 'UTC') AND Timestamp < toDateTime64({toHour:UInt32} + 3600, 9, 'UTC')
  AND (tenant, toStartOfHour(Timestamp), ServiceName, Timestamp, TraceId, SpanId) IN (SELECT tenant, toStartOfHour(time), service, time, trace_id, span_id FROM keys)
GROUP BY tenant, hour
