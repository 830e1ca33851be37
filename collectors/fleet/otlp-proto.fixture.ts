import protobuf from 'protobufjs';

/** The messages of opentelemetry-proto 1.x that the fleet writes, with their field numbers: an oracle that shares no code with the encoder. */
const PROTO = `
syntax = "proto3";
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; }
message Scope { string name = 1; string version = 2; }
message NumberDataPoint { repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  oneof value { double as_double = 4; sfixed64 as_int = 6; } }
message HistogramDataPoint { repeated KeyValue attributes = 9; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
  optional double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; }
message Gauge { repeated NumberDataPoint data_points = 1; }
message Sum { repeated NumberDataPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message Metric { string name = 1; string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
message ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1; }
message Status { string message = 2; int32 code = 3; }
message Span { bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message LogRecord { fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5; repeated KeyValue attributes = 6;
  bytes trace_id = 9; bytes span_id = 10; fixed64 observed_time_unix_nano = 11; }
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1; }
`;

const { root } = protobuf.parse(PROTO);

interface Pair {
  readonly key: string;
  readonly value: { stringValue?: string; intValue?: string; boolValue?: boolean };
}
export interface DecodedPoint {
  readonly attributes?: readonly Pair[];
  readonly startTimeUnixNano?: string;
  readonly timeUnixNano: string;
  readonly asInt?: string;
  readonly asDouble?: number;
  readonly count?: string;
  readonly sum?: number;
  readonly bucketCounts?: readonly string[];
  readonly explicitBounds?: readonly number[];
}
export interface DecodedMetric {
  readonly name: string;
  readonly unit: string;
  readonly gauge?: { dataPoints: DecodedPoint[] };
  readonly sum?: { dataPoints: DecodedPoint[]; aggregationTemporality: number; isMonotonic: boolean };
  readonly histogram?: { dataPoints: DecodedPoint[]; aggregationTemporality: number };
}

/** Decodes a request to plain objects: 64-bit numbers as strings, bytes as base64. */
export function decode(type: string, bytes: Uint8Array): Record<string, unknown> {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: String, bytes: String });
}

export function decodeMetrics(bytes: Uint8Array): { attributes: Record<string, unknown>; metrics: DecodedMetric[] } {
  const request = decode('ExportMetricsServiceRequest', bytes) as {
    resourceMetrics: { resource: { attributes: Pair[] }; scopeMetrics: { metrics: DecodedMetric[] }[] }[];
  };
  const [only, ...others] = request.resourceMetrics;
  if (only === undefined || others.length > 0)
    throw new Error(`expected one resource, got ${request.resourceMetrics.length}`);
  return { attributes: plain(only.resource.attributes), metrics: only.scopeMetrics.flatMap((scope) => scope.metrics) };
}

export function plain(pairs: readonly Pair[] | undefined): Record<string, unknown> {
  return Object.fromEntries(
    (pairs ?? []).map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.boolValue]),
  );
}
