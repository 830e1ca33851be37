/** How one field of an OTLP message is written. `int` are varints read as signed, `uint` as unsigned, `sint` zigzag. */
export type FieldType =
  | 'string'
  | 'bytes'
  | 'hex'
  | 'bool'
  | 'int64'
  | 'uint64'
  | 'uint32'
  | 'enum'
  | 'sint32'
  | 'fixed64'
  | 'sfixed64'
  | 'fixed32'
  | 'double'
  | MessageType;

export interface Field {
  readonly number: number;
  /** lowerCamelCase, as OTLP/JSON spells it. */
  readonly name: string;
  readonly type: FieldType;
  readonly repeated: boolean;
  /** Members of one oneof exclude each other; all of them are written even when they hold the default. */
  readonly presence: boolean;
}

/** A message as data: what the scan validates and the JSON codec translates. */
export interface MessageType {
  readonly name: string;
  readonly byNumber: readonly (Field | undefined)[];
  readonly byName: ReadonlyMap<string, Field>;
}

type Definition = readonly [number, string, FieldType, ('repeated' | 'presence')?];

function message(name: string, definitions: readonly Definition[]): MessageType {
  const type = { name, byNumber: [] as (Field | undefined)[], byName: new Map<string, Field>() };
  extend(type, definitions);
  return type;
}

function extend(
  type: { byNumber: (Field | undefined)[]; byName: Map<string, Field> },
  definitions: readonly Definition[],
) {
  for (const [number, name, fieldType, rule] of definitions) {
    const field = { number, name, type: fieldType, repeated: rule === 'repeated', presence: rule === 'presence' };
    type.byNumber[number] = field;
    type.byName.set(name, field);
  }
}

// AnyValue and KeyValue contain each other: AnyValue is made empty and filled below. Source: common.proto.
const anyValueFields = { name: 'AnyValue', byNumber: [] as (Field | undefined)[], byName: new Map<string, Field>() };
export const anyValue: MessageType = anyValueFields;
export const keyValue = message('KeyValue', [
  [1, 'key', 'string'],
  [2, 'value', anyValue],
]);
const arrayValue = message('ArrayValue', [[1, 'values', anyValue, 'repeated']]);
export const keyValueList = message('KeyValueList', [[1, 'values', keyValue, 'repeated']]);
extend(anyValueFields, [
  [1, 'stringValue', 'string', 'presence'],
  [2, 'boolValue', 'bool', 'presence'],
  [3, 'intValue', 'int64', 'presence'],
  [4, 'doubleValue', 'double', 'presence'],
  [5, 'arrayValue', arrayValue],
  [6, 'kvlistValue', keyValueList],
  [7, 'bytesValue', 'bytes', 'presence'],
]);

const scope = message('InstrumentationScope', [
  [1, 'name', 'string'],
  [2, 'version', 'string'],
  [3, 'attributes', keyValue, 'repeated'],
  [4, 'droppedAttributesCount', 'uint32'],
]);
const entityRef = message('EntityRef', [
  [1, 'schemaUrl', 'string'],
  [2, 'type', 'string'],
  [3, 'idKeys', 'string', 'repeated'],
  [4, 'descriptionKeys', 'string', 'repeated'],
]);
/** *Source* resource.proto. */
export const resource = message('Resource', [
  [1, 'attributes', keyValue, 'repeated'],
  [2, 'droppedAttributesCount', 'uint32'],
  [3, 'entityRefs', entityRef, 'repeated'],
]);

const exemplar = message('Exemplar', [
  [2, 'timeUnixNano', 'fixed64'],
  [3, 'asDouble', 'double', 'presence'],
  [4, 'spanId', 'hex'],
  [5, 'traceId', 'hex'],
  [6, 'asInt', 'sfixed64', 'presence'],
  [7, 'filteredAttributes', keyValue, 'repeated'],
]);
/** *Source* metrics.proto; so are the message types up to `metricsRequest`. */
export const numberDataPoint = message('NumberDataPoint', [
  [2, 'startTimeUnixNano', 'fixed64'],
  [3, 'timeUnixNano', 'fixed64'],
  [4, 'asDouble', 'double', 'presence'],
  [5, 'exemplars', exemplar, 'repeated'],
  [6, 'asInt', 'sfixed64', 'presence'],
  [7, 'attributes', keyValue, 'repeated'],
  [8, 'flags', 'uint32'],
]);
export const histogramDataPoint = message('HistogramDataPoint', [
  [2, 'startTimeUnixNano', 'fixed64'],
  [3, 'timeUnixNano', 'fixed64'],
  [4, 'count', 'fixed64'],
  [5, 'sum', 'double', 'presence'],
  [6, 'bucketCounts', 'fixed64', 'repeated'],
  [7, 'explicitBounds', 'double', 'repeated'],
  [8, 'exemplars', exemplar, 'repeated'],
  [9, 'attributes', keyValue, 'repeated'],
  [10, 'flags', 'uint32'],
  [11, 'min', 'double', 'presence'],
  [12, 'max', 'double', 'presence'],
]);
const buckets = message('Buckets', [
  [1, 'offset', 'sint32'],
  [2, 'bucketCounts', 'uint64', 'repeated'],
]);
export const exponentialHistogramDataPoint = message('ExponentialHistogramDataPoint', [
  [1, 'attributes', keyValue, 'repeated'],
  [2, 'startTimeUnixNano', 'fixed64'],
  [3, 'timeUnixNano', 'fixed64'],
  [4, 'count', 'fixed64'],
  [5, 'sum', 'double', 'presence'],
  [6, 'scale', 'sint32'],
  [7, 'zeroCount', 'fixed64'],
  [8, 'positive', buckets],
  [9, 'negative', buckets],
  [10, 'flags', 'uint32'],
  [11, 'exemplars', exemplar, 'repeated'],
  [12, 'min', 'double', 'presence'],
  [13, 'max', 'double', 'presence'],
  [14, 'zeroThreshold', 'double'],
]);
const valueAtQuantile = message('ValueAtQuantile', [
  [1, 'quantile', 'double'],
  [2, 'value', 'double'],
]);
export const summaryDataPoint = message('SummaryDataPoint', [
  [2, 'startTimeUnixNano', 'fixed64'],
  [3, 'timeUnixNano', 'fixed64'],
  [4, 'count', 'fixed64'],
  [5, 'sum', 'double'],
  [6, 'quantileValues', valueAtQuantile, 'repeated'],
  [7, 'attributes', keyValue, 'repeated'],
  [8, 'flags', 'uint32'],
]);
export const metric = message('Metric', [
  [1, 'name', 'string'],
  [2, 'description', 'string'],
  [3, 'unit', 'string'],
  [5, 'gauge', message('Gauge', [[1, 'dataPoints', numberDataPoint, 'repeated']])],
  [
    7,
    'sum',
    message('Sum', [
      [1, 'dataPoints', numberDataPoint, 'repeated'],
      [2, 'aggregationTemporality', 'enum'],
      [3, 'isMonotonic', 'bool'],
    ]),
  ],
  [
    9,
    'histogram',
    message('Histogram', [
      [1, 'dataPoints', histogramDataPoint, 'repeated'],
      [2, 'aggregationTemporality', 'enum'],
    ]),
  ],
  [
    10,
    'exponentialHistogram',
    message('ExponentialHistogram', [
      [1, 'dataPoints', exponentialHistogramDataPoint, 'repeated'],
      [2, 'aggregationTemporality', 'enum'],
    ]),
  ],
  [11, 'summary', message('Summary', [[1, 'dataPoints', summaryDataPoint, 'repeated']])],
  [12, 'metadata', keyValue, 'repeated'],
]);

/** *Source* trace.proto. */
export const span = message('Span', [
  [1, 'traceId', 'hex'],
  [2, 'spanId', 'hex'],
  [3, 'traceState', 'string'],
  [4, 'parentSpanId', 'hex'],
  [5, 'name', 'string'],
  [6, 'kind', 'enum'],
  [7, 'startTimeUnixNano', 'fixed64'],
  [8, 'endTimeUnixNano', 'fixed64'],
  [9, 'attributes', keyValue, 'repeated'],
  [10, 'droppedAttributesCount', 'uint32'],
  [
    11,
    'events',
    message('Event', [
      [1, 'timeUnixNano', 'fixed64'],
      [2, 'name', 'string'],
      [3, 'attributes', keyValue, 'repeated'],
      [4, 'droppedAttributesCount', 'uint32'],
    ]),
    'repeated',
  ],
  [12, 'droppedEventsCount', 'uint32'],
  [
    13,
    'links',
    message('Link', [
      [1, 'traceId', 'hex'],
      [2, 'spanId', 'hex'],
      [3, 'traceState', 'string'],
      [4, 'attributes', keyValue, 'repeated'],
      [5, 'droppedAttributesCount', 'uint32'],
      [6, 'flags', 'fixed32'],
    ]),
    'repeated',
  ],
  [14, 'droppedLinksCount', 'uint32'],
  [
    15,
    'status',
    message('Status', [
      [2, 'message', 'string'],
      [3, 'code', 'enum'],
    ]),
  ],
  [16, 'flags', 'fixed32'],
]);

/** *Source* logs.proto. */
export const logRecord = message('LogRecord', [
  [1, 'timeUnixNano', 'fixed64'],
  [2, 'severityNumber', 'enum'],
  [3, 'severityText', 'string'],
  [5, 'body', anyValue],
  [6, 'attributes', keyValue, 'repeated'],
  [7, 'droppedAttributesCount', 'uint32'],
  [8, 'flags', 'fixed32'],
  [9, 'traceId', 'hex'],
  [10, 'spanId', 'hex'],
  [11, 'observedTimeUnixNano', 'fixed64'],
  [12, 'eventName', 'string'],
]);

/** request → resource list 1 → { resource 1, scope list 2 → { scope 1, records 2, schema_url 3 }, schema_url 3 }: the same shape for the three signals. */
function request(
  signal: string,
  resourceList: string,
  scopeList: string,
  records: string,
  record: MessageType,
): MessageType {
  const scopeType = message(`Scope${signal}`, [
    [1, 'scope', scope],
    [2, records, record, 'repeated'],
    [3, 'schemaUrl', 'string'],
  ]);
  const resourceType = message(`Resource${signal}`, [
    [1, 'resource', resource],
    [2, scopeList, scopeType, 'repeated'],
    [3, 'schemaUrl', 'string'],
  ]);
  return message(`Export${signal}ServiceRequest`, [[1, resourceList, resourceType, 'repeated']]);
}

export const requestTypes = {
  metrics: request('Metrics', 'resourceMetrics', 'scopeMetrics', 'metrics', metric),
  traces: request('Trace', 'resourceSpans', 'scopeSpans', 'spans', span),
  logs: request('Logs', 'resourceLogs', 'scopeLogs', 'logRecords', logRecord),
} as const;
