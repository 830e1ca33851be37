-- The OpenTelemetry ClickHouse exporter's tables as Grafana and HyperDX query them. Scope by tenant before handing them to anyone.
CREATE VIEW otel_traces AS SELECT * REPLACE (lower(hex(TraceId)) AS TraceId, lower(hex(SpanId)) AS SpanId, if(ParentSpanId = toFixedString('', 8), '', lower(hex(ParentSpanId))) AS ParentSpanId) FROM spans;
CREATE VIEW otel_logs AS SELECT * REPLACE (lower(hex(TraceId)) AS TraceId, lower(hex(SpanId)) AS SpanId) FROM log_records
