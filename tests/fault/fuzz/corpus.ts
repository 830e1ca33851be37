import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compressSync } from 'snappy';
import { encodeOtlp, type OtlpSignal } from 'streams/otlp';
import { encodeMessage, toMessage } from 'streams/otlp/remote-write-messages';

/** A request as a real sender makes it. */
export interface Sample {
  readonly path: string;
  readonly type: string;
  readonly encoding: string;
  readonly body: Uint8Array;
}

const attributes = [
  { key: 'service.name', value: { stringValue: 'isp' } },
  { key: 'n', value: { intValue: '7' } },
  { key: 'list', value: { arrayValue: { values: [{ doubleValue: 0.5 }, { boolValue: true }] } } },
  { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { bytesValue: 'AAEC' } }] } } },
];

/** One request of each signal with every kind of record. */
export function otlpRequests(nowMs: number): Readonly<Record<OtlpSignal, object>> {
  const now = `${nowMs}000000`;
  const common = { startTimeUnixNano: `${nowMs - 60_000}000000`, timeUnixNano: now, count: '3', sum: 6, attributes };
  const exemplars = [{ timeUnixNano: now, asDouble: 1, traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) }];
  const points = {
    dataPoints: [
      { timeUnixNano: now, asInt: '5', attributes, exemplars },
      { timeUnixNano: now, asDouble: 1.5 },
    ],
  };
  const metrics = [
    { name: 'fuzz.gauge', unit: 'By', gauge: points },
    { name: 'fuzz.sum', sum: { ...points, aggregationTemporality: 2, isMonotonic: true } },
    {
      name: 'fuzz.histogram',
      histogram: {
        dataPoints: [{ ...common, bucketCounts: ['1', '2'], explicitBounds: [2], exemplars }],
        aggregationTemporality: 2,
      },
    },
    {
      name: 'fuzz.exponential',
      exponentialHistogram: {
        dataPoints: [{ ...common, scale: 2, zeroCount: '1', positive: { offset: -1, bucketCounts: ['1', '1'] } }],
        aggregationTemporality: 1,
      },
    },
    { name: 'fuzz.summary', summary: { dataPoints: [{ ...common, quantileValues: [{ quantile: 0.5, value: 2 }] }] } },
  ];
  const span = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    parentSpanId: 'c7ad6b7169203331',
    name: 'GET /',
    kind: 2,
    startTimeUnixNano: now,
    endTimeUnixNano: now,
    attributes,
    events: [{ timeUnixNano: now, name: 'retry', attributes }],
    links: [{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), attributes }],
    status: { code: 2, message: 'broken' },
  };
  const logRecords = attributes.map(({ value }) => ({ timeUnixNano: now, severityNumber: 9, body: value, attributes }));
  const resource = { attributes };
  const scope = { name: 'fuzz', version: '1', attributes };
  return {
    metrics: { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics, schemaUrl: 'u' }] }] },
    traces: {
      resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [span, { ...span, spanId: 'ee'.repeat(8) }] }] }],
    },
    logs: { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] },
  };
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** What real senders send to every endpoint that takes data, before it is spoilt. */
export function corpus(nowMs: number): readonly Sample[] {
  const protobuf = 'application/x-protobuf';
  const otlp = Object.entries(otlpRequests(nowMs)).flatMap(([signal, request]): Sample[] => {
    const path = `/v1/${signal}`;
    const bytes = encodeOtlp(signal as OtlpSignal, request);
    return [
      { path, type: protobuf, encoding: '', body: bytes },
      { path, type: protobuf, encoding: 'gzip', body: gzipSync(bytes) },
      { path, type: protobuf, encoding: 'zstd', body: zstdCompressSync(bytes) },
      { path, type: 'application/json', encoding: '', body: json(request) },
      { path, type: 'application/json', encoding: 'gzip', body: gzipSync(json(request)) },
    ];
  });
  const series = {
    labels: [
      ['__name__', 'fuzz_total'],
      ['job', 'node'],
    ] as const,
    samples: [{ timestamp: nowMs, value: 1 }],
  };
  const remoteWrite = (['1.0', '2.0'] as const).map(
    (version): Sample => ({
      path: '/api/v1/write',
      type: version === '1.0' ? protobuf : `${protobuf};proto=io.prometheus.write.v2.Request`,
      encoding: 'snappy',
      body: compressSync(Buffer.from(encodeMessage(version, toMessage(version, [series])))),
    }),
  );
  const at = new Date(nowMs).toISOString();
  const event = {
    specversion: '1.0',
    type: 'api_calls',
    source: '/fuzz',
    id: 'f1',
    subject: 's',
    time: at,
    data: { value: '12.5', region: 'n' },
  };
  const rest: readonly (readonly [string, string, unknown])[] = [
    ['/api/v1/plugins/usage-events', 'application/cloudevents+json', event],
    ['/api/v1/plugins/usage', 'application/cloudevents-batch+json', [event, { ...event, id: 'f2' }]],
    ['/api/v1/plugins/usage-events', 'application/json', [event]],
    [
      '/api/v1/monitoring/health-checks',
      'application/json',
      { checks: [{ component: 'radius', status: 'up', checkedAt: at, latencyMs: 3 }] },
    ],
    [
      '/api/v1/monitoring/metrics',
      'application/json',
      { metrics: [{ name: 'fuzz.rest', value: 1, unit: 'By', timestamp: at, attributes: { a: 'b' } }] },
    ],
    [
      '/api/v1/monitoring/alerts',
      'application/json',
      { alerts: [{ name: 'down', severity: 'page', startsAt: at, labels: { a: 'b' }, summary: 's' }] },
    ],
  ];
  return [
    ...otlp,
    ...remoteWrite,
    ...rest.map(([path, type, body]): Sample => ({ path, type, encoding: '', body: json(body) })),
  ];
}
