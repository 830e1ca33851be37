import fc from 'fast-check';
import protobuf from 'protobufjs';

/** The oracle: the schema as protobufjs reads it. Tests only. */
const root = protobuf.loadSync(new URL('./otlp.proto', import.meta.url).pathname).resolveAll();

/** A message in the field names of the schema, as protobufjs takes it. */
export type Message = Record<string, unknown>;

export const oracleType = (name: string): protobuf.Type => root.lookupType(`otlp.${name}`);

export function encodeWithOracle(name: string, message: Message): Uint8Array {
  const type = oracleType(name);
  return type.encode(type.fromObject(message)).finish();
}

/** Decodes to plain objects: 64-bit integers as strings, bytes as `Buffer`, absent repeated fields as empty arrays. */
export function decodeWithOracle(name: string, bytes: Uint8Array): Message {
  const type = oracleType(name);
  return type.toObject(type.decode(Buffer.from(bytes)), {
    longs: String,
    bytes: Buffer,
    arrays: true,
    defaults: false,
    oneofs: true,
  });
}

/** All messages below are within these bounds unless they mean not to be. */
export const testBounds = { oldestMs: 1_700_000_000_000, newestMs: 1_800_000_000_000 };

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 12 }));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const double = fc.double();
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((id) => Buffer.from(id));
const spanIds = { traceId: fc.oneof(bytes(16), bytes(16), bytes(3)), spanId: fc.oneof(bytes(8), bytes(8), bytes(0)) };

/** Mostly within the bounds, exact to the nanosecond and often just before the next millisecond. */
const time = fc
  .tuple(
    fc.bigInt({ min: 1_699_999_990_000n, max: 1_800_000_010_000n }),
    fc.constantFrom(0n, 1n, 999_999n, 999_872n, 500_000n),
  )
  .map(([ms, ns]) => String(ms * 1_000_000n + ns));

const { value: anyValue, keyValue } = fc.letrec<{ value: Message; keyValue: Message }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    text.map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    int64.map((intValue) => ({ intValue })),
    double.map((doubleValue) => ({ doubleValue })),
    fc.uint8Array({ maxLength: 9 }).map((bytesValue) => ({ bytesValue: Buffer.from(bytesValue) })),
    fc.constant({}),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
    fc.array(tie('keyValue'), { maxLength: 3 }).map((values) => ({ kvlistValue: { values } })),
  ),
  keyValue: fc.record({ key: text, value: tie('value') }),
}));
export const anyValues: fc.Arbitrary<Message> = anyValue;
const attributes = fc.array(keyValue, { maxLength: 4 });
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 3 });

const resource = fc.record({ attributes, droppedAttributesCount: uint32 }, { requiredKeys: [] });
const scope = fc.record({ name: text, version: text, attributes }, { requiredKeys: [] });

const exemplars = some(
  fc.record(
    { timeUnixNano: time, asInt: int64, traceId: bytes(16), spanId: bytes(8), filteredAttributes: attributes },
    { requiredKeys: ['timeUnixNano'] },
  ),
);
const header = { startTimeUnixNano: time, timeUnixNano: time, attributes, flags: uint32 };
const numberPoint = fc.oneof(
  fc.record({ ...header, exemplars, asDouble: double }, { requiredKeys: ['timeUnixNano', 'asDouble'] }),
  fc.record({ ...header, exemplars, asInt: int64 }, { requiredKeys: ['timeUnixNano', 'asInt'] }),
  fc.record({ ...header }, { requiredKeys: [] }),
);
const histogramPoint = fc
  .record(
    { ...header, exemplars, count: uint64, sum: double, min: double, max: double, explicitBounds: some(double) },
    { requiredKeys: ['timeUnixNano', 'explicitBounds'] },
  )
  .chain((point) => {
    const fitting = { minLength: point.explicitBounds.length + 1, maxLength: point.explicitBounds.length + 1 };
    return fc
      .oneof(fc.array(uint64, fitting), fc.array(uint64, { maxLength: 3 }))
      .map((bucketCounts) => ({ ...point, bucketCounts }));
  });
const sint32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const buckets = fc.record({ offset: sint32, bucketCounts: some(uint64) });
const exponentialPoint = fc.record(
  {
    ...header,
    exemplars,
    count: uint64,
    sum: double,
    min: double,
    max: double,
    scale: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: -128, max: 127 }) }, { weight: 1, arbitrary: sint32 }),
    zeroCount: uint64,
    zeroThreshold: double,
    positive: buckets,
    negative: buckets,
  },
  { requiredKeys: ['timeUnixNano'] },
);
const summaryPoint = fc.record(
  { ...header, count: uint64, sum: double, quantileValues: some(fc.record({ quantile: double, value: double })) },
  { requiredKeys: ['timeUnixNano'] },
);
const temporality = fc.constantFrom(0, 1, 2);
const data = fc.oneof(
  some(numberPoint).map((dataPoints) => ({ gauge: { dataPoints } })),
  fc
    .record({ dataPoints: some(numberPoint), aggregationTemporality: temporality, isMonotonic: fc.boolean() })
    .map((sum) => ({ sum })),
  fc
    .record({ dataPoints: some(histogramPoint), aggregationTemporality: temporality })
    .map((histogram) => ({ histogram })),
  fc
    .record({ dataPoints: some(exponentialPoint), aggregationTemporality: temporality })
    .map((exponentialHistogram) => ({ exponentialHistogram })),
  some(summaryPoint).map((dataPoints) => ({ summary: { dataPoints } })),
  fc.constant({}),
);
const metric = fc
  .tuple(
    fc.record({ name: text, description: text, unit: text, metadata: attributes }, { requiredKeys: ['name'] }),
    data,
  )
  .map(([head, kind]) => ({ ...head, ...kind }));

const span = fc.record(
  {
    ...spanIds,
    parentSpanId: bytes(8),
    traceState: text,
    name: text,
    kind: fc.integer({ min: 0, max: 7 }),
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes,
    droppedAttributesCount: uint32,
    events: some(fc.record({ timeUnixNano: time, name: text, attributes, droppedAttributesCount: uint32 })),
    droppedEventsCount: uint32,
    links: some(
      fc.record({
        traceId: bytes(16),
        spanId: bytes(8),
        traceState: text,
        attributes,
        droppedAttributesCount: uint32,
        flags: uint32,
      }),
    ),
    droppedLinksCount: uint32,
    status: fc.record({ message: text, code: fc.integer({ min: 0, max: 4 }) }),
    flags: uint32,
  },
  { requiredKeys: ['startTimeUnixNano', 'traceId', 'spanId'] },
);
const logRecord = fc.record(
  {
    timeUnixNano: time,
    observedTimeUnixNano: time,
    severityNumber: fc.integer({ min: 0, max: 24 }),
    severityText: text,
    body: anyValue,
    attributes,
    droppedAttributesCount: uint32,
    flags: uint32,
    ...spanIds,
    eventName: text,
  },
  { requiredKeys: [] },
);

function request(
  resources: string,
  scopes: string,
  records: string,
  record: fc.Arbitrary<Message>,
): fc.Arbitrary<Message> {
  const scoped = fc.record({ scope, [records]: some(record), schemaUrl: text }, { requiredKeys: [] });
  const resourced = fc.record({ resource, [scopes]: some(scoped), schemaUrl: text }, { requiredKeys: [] });
  return some(resourced).map((list) => ({ [resources]: list }));
}

/** Random valid requests by signal, and the name of their type in the oracle. */
export const requests = {
  metrics: { type: 'MetricsRequest', message: request('resourceMetrics', 'scopeMetrics', 'metrics', metric) },
  traces: { type: 'TracesRequest', message: request('resourceSpans', 'scopeSpans', 'spans', span) },
  logs: { type: 'LogsRequest', message: request('resourceLogs', 'scopeLogs', 'logRecords', logRecord) },
} as const;
