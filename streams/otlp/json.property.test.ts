import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AppError } from '../contract/index.ts';
import { encodeOtlp, otlpJsonToProtobuf } from './json.ts';
import { exportResponse, statusBody } from './responses.ts';
import { decodeWithOracle, encodeWithOracle, type Message, requests } from './testdata/messages.ts';

const idNames = new Set(['traceId', 'spanId', 'parentSpanId']);

/** A message of the oracle as OTLP/JSON spells it. */
function toOtlpJson(value: unknown, name = ''): unknown {
  if (Buffer.isBuffer(value)) return value.toString(idNames.has(name) ? 'hex' : 'base64');
  if (Array.isArray(value)) return value.map((item) => toOtlpJson(item, name));
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toOtlpJson(item, key)]));
}

/** JSON has no negative zero in and out alike; the oracle's reading is compared with it cut off. */
const plain = (message: Message) =>
  JSON.parse(
    JSON.stringify(message, (_key, value) => {
      if (typeof value !== 'number') return value;
      return Number.isFinite(value) ? value + 0 : `#${value}`;
    }),
  );

for (const [signal, { type, message }] of Object.entries(requests)) {
  test(`${signal} as OTLP/JSON mean what protobufjs reads from the protobuf of the same message`, () => {
    fc.assert(
      fc.property(message, (request) => {
        const json = Buffer.from(JSON.stringify(toOtlpJson(request)));
        const bytes = otlpJsonToProtobuf(signal as keyof typeof requests, json);
        const expected = decodeWithOracle(type, encodeWithOracle(type, request));
        expect(plain(decodeWithOracle(type, bytes))).toEqual(plain(expected));
      }),
      { numRuns: 200 },
    );
  });
}

test('any JSON is translated or refused by code and field', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom('metrics', 'traces', 'logs'), (json, signal) => {
      const list = { metrics: 'resourceMetrics', traces: 'resourceSpans', logs: 'resourceLogs' }[signal];
      for (const body of [json, `{"${list}":${json}}`, `{"${list}":[${json}]}`]) {
        try {
          otlpJsonToProtobuf(signal as 'metrics', Buffer.from(body));
        } catch (error) {
          expect((error as AppError).code).toBe('otlp.malformed_json');
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('values nested too deep are refused, not a stack overflow', () => {
  let value: object = { stringValue: 'x' };
  for (let i = 0; i < 40; i++) value = { arrayValue: { values: [value] } };
  const request = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: value }] }] }] };
  expect(() => encodeOtlp('logs', request)).toThrow('nest deeper');
});

test('a partial success names what was rejected, in both formats', () => {
  const bytes = exportResponse('traces', 'application/x-protobuf', new Map([['too_old', 3]]));
  expect(decodeWithOracle('ExportResponse', bytes)).toMatchObject({
    partialSuccess: { rejected: '3', errorMessage: '3 too_old' },
  });
  const json = JSON.parse(
    Buffer.from(exportResponse('traces', 'application/json', new Map([['too_old', 3]]))).toString(),
  );
  expect(json).toEqual({ partialSuccess: { rejectedSpans: '3', errorMessage: '3 too_old' } });
});

test('a refusal is a google.rpc.Status in both formats', () => {
  const bytes = statusBody('application/x-protobuf', 503, 'later');
  expect(decodeWithOracle('RpcStatus', bytes)).toMatchObject({ code: 14, message: 'later' });
  expect(JSON.parse(Buffer.from(statusBody('application/json', 401, 'who')).toString())).toEqual({
    code: 16,
    message: 'who',
  });
});

test('an unquoted 64-bit integer keeps every digit', () => {
  const point = (value: string) =>
    `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":1795257000123456789,"asInt":${value}}]}}]}]}]}`;
  for (const value of ['9007199254740993', '-9223372036854775808', '9223372036854775807']) {
    const unquoted = otlpJsonToProtobuf('metrics', Buffer.from(point(value)));
    expect(unquoted).toEqual(otlpJsonToProtobuf('metrics', Buffer.from(point(`"${value}"`))));
    const read = JSON.stringify(decodeWithOracle(requests.metrics.type, unquoted));
    expect(read).toContain(`"asInt":"${value}"`);
    expect(read).toContain('"timeUnixNano":"1795257000123456789"');
  }
  expect(() => otlpJsonToProtobuf('metrics', Buffer.from(point('9223372036854775808')))).toThrow('a whole number');
});

test('an enum is its number: a name is refused by field', () => {
  const request = (kind: unknown) => ({ resourceSpans: [{ scopeSpans: [{ spans: [{ kind }] }] }] });
  expect(() => encodeOtlp('traces', request('SPAN_KIND_SERVER'))).toThrow('spans[0].kind: an enum is its number');
  expect(() => encodeOtlp('traces', request('2'))).toThrow('an enum is its number');
  expect(encodeOtlp('traces', request(2)).length).toBeGreaterThan(0);
});
