import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { encodeOtlp, type OtlpSignal } from 'streams/otlp';
import { call, type PulseProcess } from '../../pulse-process.ts';
import { readStatus } from './protobuf.ts';

/** The server that is judged, and two tenants of it: one as any, one that may do one request at a time. */
export interface Target {
  readonly pulse: PulseProcess;
  readonly key: string;
  readonly tenant: string;
  readonly narrowKey: string;
  readonly narrowTenant: string;
  /** A page of this origin may send. */
  readonly origin: string;
}

/** One sentence of the specification, and how it is seen to hold. */
export interface Rule {
  readonly id: string;
  /** Says what must hold, in the words of the specification where it has them. */
  readonly text: string;
  /** Throws when it does not hold. */
  check(target: Target): Promise<void>;
}

export const signals: readonly OtlpSignal[] = ['metrics', 'traces', 'logs'];
export type Encoding = 'protobuf' | 'json';
export const encodings: readonly Encoding[] = ['protobuf', 'json'];
export const typeOf = { protobuf: 'application/x-protobuf', json: 'application/json' } as const;

export const nanos = (ms = Date.now()): string => `${ms}000000`;
const hex = (bytes: number) =>
  Array.from({ length: bytes }, () =>
    Math.floor(Math.random() * 256)
      .toString(16)
      .padStart(2, '0'),
  ).join('');

export const point = (extra: object = {}): object => ({ timeUnixNano: nanos(), asDouble: 1.5, ...extra });
export const span = (extra: object = {}): object => ({
  traceId: hex(16),
  spanId: hex(8),
  name: 'GET /',
  kind: 2,
  startTimeUnixNano: nanos(),
  endTimeUnixNano: nanos(),
  ...extra,
});
export const logRecord = (extra: object = {}): object => ({
  timeUnixNano: nanos(),
  body: { stringValue: 'x' },
  ...extra,
});
export const metricsOf = (...metrics: readonly object[]): object => ({
  resourceMetrics: [{ scopeMetrics: [{ metrics }] }],
});
export const spansOf = (...spans: readonly object[]): object => ({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
export const logsOf = (...logRecords: readonly object[]): object => ({
  resourceLogs: [{ scopeLogs: [{ logRecords }] }],
});

/** `good` records now and `old` ones from before any retention. */
export function request(signal: OtlpSignal, good = 1, old = 0): object {
  const before = nanos(Date.UTC(2001, 0, 1));
  const records = (make: (extra?: object) => object, time: string) => [
    ...Array.from({ length: good }, () => make()),
    ...Array.from({ length: old }, () => make({ [time]: before })),
  ];
  if (signal === 'traces') return spansOf(...records(span, 'startTimeUnixNano'));
  if (signal === 'logs') return logsOf(...records(logRecord, 'timeUnixNano'));
  return metricsOf({ name: 'conformance.gauge', gauge: { dataPoints: records(point, 'timeUnixNano') } });
}

export const encoded = (signal: OtlpSignal, encoding: Encoding, value: object): Uint8Array =>
  encoding === 'json' ? Buffer.from(JSON.stringify(value)) : encodeOtlp(signal, value);

export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Sends one request; a header of the value `''` is left out. */
export async function post(
  target: Target,
  signal: string,
  encoding: Encoding,
  body: Uint8Array,
  options: { key?: string; headers?: Record<string, string>; base?: string; method?: string; path?: string } = {},
): Promise<HttpAnswer> {
  const headers = {
    authorization: `Bearer ${options.key ?? target.key}`,
    'content-type': typeOf[encoding],
    ...options.headers,
  };
  const method = options.method ?? 'POST';
  const response = await fetch(`${options.base ?? target.pulse.otlpHttp}${options.path ?? `/v1/${signal}`}`, {
    method,
    headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== '')),
    ...(method === 'GET' ? {} : { body: new Uint8Array(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    headers: response.headers,
    body: new Uint8Array(await response.arrayBuffer()),
  };
}

/** A refusal: the status, and a Status with a message in the type of the request. */
export function assertRefused(answer: HttpAnswer, status: number, encoding: Encoding): void {
  assert.equal(answer.status, status);
  assert.equal(answer.type, typeOf[encoding]);
  const { code, message } = readStatus(answer.body, encoding === 'json');
  assert.ok(code > 0 && message.length > 0, `a Status with code and message, not ${code} "${message}"`);
}

/** Opens a request of `length` bytes and sends none of them, so that it is being taken until `release` is called. */
export async function openRequest(target: Target, key: string, length: number, encoding: Encoding = 'protobuf') {
  const { hostname, port } = new URL(target.pulse.otlpHttp);
  const socket: Socket = connect(Number(port), hostname);
  let received = '';
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const head = [
    'POST /v1/metrics HTTP/1.1',
    'host: x',
    `authorization: Bearer ${key}`,
    `content-type: ${typeOf[encoding]}`,
    `content-length: ${length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\nx`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    closed,
    received: () => received,
    release: () => {
      socket.destroy();
      return closed;
    },
  };
}

/** Telemetry of the tenant that is stored and visible. */
export async function counts(target: Target): Promise<{ points: number; spans: number; logRecords: number }> {
  const range = `start=${new Date(Date.now() - 3_600_000).toISOString()}&end=${new Date(Date.now() + 60_000).toISOString()}`;
  const { body } = await call<{ points: number; spans: number; logRecords: number }>(
    target.pulse,
    `/api/v1/telemetry/counts?tenant=${target.tenant}&${range}`,
  );
  return body;
}
