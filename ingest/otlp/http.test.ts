import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createOtlpDecoder, encodeOtlp } from 'streams/otlp';
import { expect, test } from 'vitest';
import { logDown, openTestDoor, receivedAtMs, type TestDoor } from '../testing/door.ts';

const hourMs = 3_600_000;
const nanos = (ms: number) => `${ms}000000`;

/** A gauge with one point a given time, under one resource that may name a tenant. */
function gauge(times: readonly number[], tenant?: string) {
  const attributes = tenant === undefined ? [] : [{ key: 'dotmac.tenant.id', value: { stringValue: tenant } }];
  const dataPoints = times.map((ms, i) => ({ timeUnixNano: nanos(ms), asInt: String(i) }));
  return {
    resourceMetrics: [
      { resource: { attributes }, scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints } }] }] },
    ],
  };
}

const protobuf = 'application/x-protobuf';
const send = (
  door: TestDoor,
  payload: Uint8Array | string,
  headers: Record<string, string> = {},
  url = '/v1/metrics',
  app = door.otlpHttp,
) =>
  app.inject({
    method: 'POST',
    url,
    headers: { authorization: 'Bearer alpha', 'content-type': protobuf, ...headers },
    payload: typeof payload === 'string' ? payload : Buffer.from(payload),
  });

/** google.rpc.Status in protobuf: code is field 1, a varint below 128. */
const statusCodeOf = (body: Buffer) => (body[0] === 0x08 ? body[1] : undefined);

test('protobuf points travel to the log as they came, counted by hour of occurrence', async () => {
  const door = await openTestDoor();
  const payload = encodeOtlp('metrics', gauge([receivedAtMs, receivedAtMs - 1, receivedAtMs - hourMs]));
  const answer = await send(door, payload);
  expect([answer.statusCode, answer.headers['content-type'], answer.rawPayload.length]).toEqual([200, protobuf, 0]);
  const [message] = door.appended;
  expect(message?.key).toBe('isp-alpha');
  expect(Buffer.compare(message?.payload ?? new Uint8Array(0), payload)).toBe(0);
  const hour = Math.floor(receivedAtMs / hourMs) * 3600;
  expect(door.envelopes()).toMatchObject([
    {
      tenant: 'isp-alpha',
      tenantNumber: 7,
      signal: 'metrics',
      encoding: 'otlp',
      receivedAt: receivedAtMs,
      credential: 'key:alpha',
      part: 0,
      parts: 1,
      counts: [
        { hour: hour - 3600, records: 1 },
        { hour, records: 2 },
      ],
    },
  ]);
});

test('the API port takes OTLP as well', async () => {
  const door = await openTestDoor();
  const answer = await send(door, encodeOtlp('metrics', gauge([receivedAtMs])), {}, '/v1/metrics', door.http);
  expect([answer.statusCode, door.appended.length]).toEqual([200, 1]);
});

test('JSON becomes the protobuf that means the same', async () => {
  const door = await openTestDoor();
  const span = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    name: 'GET /',
    kind: 2,
    startTimeUnixNano: nanos(receivedAtMs),
    endTimeUnixNano: nanos(receivedAtMs + 5),
    status: null,
    somethingNewer: { x: 1 },
  };
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  const answer = await send(door, body, { 'content-type': 'application/json; charset=utf-8' }, '/v1/traces');
  expect([answer.statusCode, answer.headers['content-type'], answer.body]).toEqual([200, 'application/json', '{}']);
  const rows = createOtlpDecoder().traces(door.appended[0]?.payload ?? new Uint8Array(0), {
    oldestMs: 0,
    newestMs: 4e12,
  });
  expect(rows.map((row) => [Buffer.from(row.traceId).toString('hex'), row.name, row.kind, row.durationNs])).toEqual([
    [span.traceId, 'GET /', 'Server', 5_000_000n],
  ]);
});

test('gzip and zstd bodies are the same request', async () => {
  const door = await openTestDoor();
  const payload = encodeOtlp('metrics', gauge([receivedAtMs]));
  expect((await send(door, gzipSync(payload), { 'content-encoding': 'gzip' })).statusCode).toBe(200);
  expect((await send(door, zstdCompressSync(payload), { 'content-encoding': 'zstd' })).statusCode).toBe(200);
  expect(door.appended.map((message) => Buffer.compare(message.payload, payload))).toEqual([0, 0]);
});

test('an empty request is good and stores nothing', async () => {
  const door = await openTestDoor();
  expect((await send(door, new Uint8Array(0))).statusCode).toBe(200);
  expect((await send(door, '{}', { 'content-type': 'application/json' })).statusCode).toBe(200);
  expect(door.appended).toEqual([]);
});

test('points too old or too far ahead are reported as partial success, the rest is stored', async () => {
  const door = await openTestDoor();
  const day = 24 * hourMs;
  const times = [receivedAtMs, receivedAtMs - 401 * day, receivedAtMs + 2 * day, receivedAtMs - 399 * day];
  const answer = await send(door, JSON.stringify(gauge(times)), { 'content-type': 'application/json' });
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toEqual({
    partialSuccess: { rejectedDataPoints: '2', errorMessage: '1 too_old, 1 too_far_ahead' },
  });
  expect(door.envelopes()[0]?.counts.reduce((sum, count) => sum + count.records, 0)).toBe(2);
  expect(await door.metrics()).toContain('pulse_ingest_rejected_total{signal="metrics",reason="too_old"} 1');
});

test('200 comes only after the append has resolved', async () => {
  const door = await openTestDoor();
  const open = door.holdLog();
  let answered = false;
  const answer = send(door, encodeOtlp('metrics', gauge([receivedAtMs]))).then((response) => {
    answered = true;
    return response;
  });
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBe(false);
  open();
  expect((await answer).statusCode).toBe(200);
});

test('a log that fails is 503 with Retry-After, never 500, whatever it throws', async () => {
  for (const fault of [logDown(), new Error('surprise with a secret')]) {
    const door = await openTestDoor();
    door.failLog(fault);
    const answer = await send(door, encodeOtlp('metrics', gauge([receivedAtMs])));
    expect([answer.statusCode, answer.headers['retry-after'], statusCodeOf(answer.rawPayload)]).toEqual([503, '1', 14]);
    expect(answer.body).not.toContain('secret');
  }
});

test('what came compressed travels as it came and whole; logs, whose identity knows their part, split alike either way', async () => {
  const points = encodeOtlp('metrics', gauge(Array.from({ length: 60_000 }, (_, index) => receivedAtMs - index)));
  const logRecords = Array.from({ length: 25 }, () => ({
    timeUnixNano: nanos(receivedAtMs),
    body: { stringValue: 'x'.repeat(100_000) },
  }));
  const logs = encodeOtlp('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
  expect(points.length).toBeGreaterThan(1024 * 1024);
  const parts = async (path: string, body: Buffer, headers: Record<string, string>) => {
    const door = await openTestDoor();
    expect((await send(door, body, headers, path)).statusCode).toBe(200);
    return door.appended;
  };
  const gzip = { 'content-encoding': 'gzip' };
  const sent = gzipSync(points);
  const [whole, ...none] = await parts('/v1/metrics', sent, gzip);
  expect(none).toEqual([]);
  expect([
    Buffer.compare(whole?.payload ?? Buffer.of(), points),
    Buffer.compare(whole?.packed ?? Buffer.of(), sent),
  ]).toEqual([0, 0]);
  expect((await parts('/v1/metrics', Buffer.from(points), {})).length).toBeGreaterThan(1);
  expect((await parts('/v1/logs', gzipSync(logs), gzip)).length).toBe(
    (await parts('/v1/logs', Buffer.from(logs), {})).length,
  );
});

test('a large request becomes several records of the log with the same counts', async () => {
  const door = await openTestDoor();
  const body = 'x'.repeat(100_000);
  const logRecords = Array.from({ length: 25 }, () => ({
    timeUnixNano: nanos(receivedAtMs),
    body: { stringValue: body },
  }));
  const payload = encodeOtlp('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
  expect((await send(door, payload, {}, '/v1/logs')).statusCode).toBe(200);
  const envelopes = door.envelopes();
  expect(envelopes.map(({ part, parts }) => [part, parts])).toEqual([
    [0, 3],
    [1, 3],
    [2, 3],
  ]);
  expect(new Set(envelopes.map((envelope) => envelope.batch)).size).toBe(1);
  expect(envelopes.flatMap((envelope) => envelope.counts).reduce((sum, count) => sum + count.records, 0)).toBe(25);
  const decoder = createOtlpDecoder();
  const rows = door.appended.flatMap((message, part) =>
    decoder.logs(message.payload, { oldestMs: 0, newestMs: 4e12 }, part),
  );
  expect(new Set(rows.map((row) => row.hash)).size).toBe(25);
});

const bomb = gzipSync(Buffer.alloc(3 * 1024 * 1024));
const good = encodeOtlp('metrics', gauge([receivedAtMs]));
const badInput: readonly (readonly [string, Uint8Array | string, Record<string, string>, number, number])[] = [
  ['no credential', good, { authorization: '' }, 401, 16],
  ['an unknown key', good, { authorization: 'Bearer nobody' }, 401, 16],
  ["another tenant's id in a resource", encodeOtlp('metrics', gauge([receivedAtMs], 'isp-beta')), {}, 403, 7],
  ["another tenant's id in a header", good, { 'x-tenant-id': 'isp-beta' }, 403, 7],
  ['malformed protobuf', Buffer.from([0x0a, 0x7f, 1]), {}, 400, 3],
  ['JSON declared as protobuf', '{"resourceMetrics":[]}', {}, 400, 3],
  ['a wrong content type', good, { 'content-type': 'text/plain' }, 415, 3],
  ['an unknown encoding', good, { 'content-encoding': 'br' }, 415, 3],
  ['bytes that are not gzip', good, { 'content-encoding': 'gzip' }, 400, 3],
  ['truncated gzip', gzipSync(good).subarray(0, 20), { 'content-encoding': 'gzip' }, 400, 3],
  ['a body above the limit', new Uint8Array(1024 * 1024 + 1), {}, 413, 3],
  ['a gzip bomb', bomb, { 'content-encoding': 'gzip' }, 413, 3],
];

for (const [name, payload, headers, status, rpcCode] of badInput) {
  test(`${name} is ${status} with a google.rpc.Status, and nothing is stored`, async () => {
    const door = await openTestDoor({ maxBodyMiB: 1, maxDecompressedMiB: 2 });
    const answer = await send(door, payload, headers);
    expect([answer.statusCode, answer.headers['content-type'], statusCodeOf(answer.rawPayload)]).toEqual([
      status,
      protobuf,
      rpcCode,
    ]);
    expect(door.appended).toEqual([]);
  });
}

test('a wrong content type is told which are right, and where it stands', async () => {
  const door = await openTestDoor();
  const { rawPayload } = await send(door, good, { 'content-type': 'text/plain' });
  expect(rawPayload.toString()).toContain('content-type must be application/x-protobuf or application/json');
  expect(rawPayload.toString()).toContain('headers.content-type');
});

const badJson: readonly (readonly [string, string])[] = [
  ['{', 'otlp.malformed_json'],
  ['[]', '(body)'],
  ['{"resourceMetrics":{}}', 'resourceMetrics: an array'],
  [
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":5}]}]}]}',
    'resourceMetrics[0].scopeMetrics[0].metrics[0].name',
  ],
  [
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":1.5}]}}]}]}]}',
    'dataPoints[0].asInt',
  ],
];
for (const [payload, detail] of badJson) {
  test(`JSON ${payload} is refused naming ${detail}, in JSON`, async () => {
    const door = await openTestDoor();
    const answer = await send(door, payload, { 'content-type': 'application/json' });
    expect([answer.statusCode, answer.json().code]).toEqual([400, 3]);
    expect(answer.json().message).toContain(detail);
    expect(door.appended).toEqual([]);
  });
}

test('a tenant may name itself', async () => {
  const door = await openTestDoor();
  expect((await send(door, encodeOtlp('metrics', gauge([receivedAtMs], 'isp-alpha')))).statusCode).toBe(200);
});

test('beyond the bytes in flight the door says 503 and forgets them when they are answered', async () => {
  const door = await openTestDoor({ maxInFlightMiB: 1 });
  const open = door.holdLog();
  const large = encodeOtlp('logs', {
    resourceLogs: [
      {
        scopeLogs: [
          { logRecords: [{ timeUnixNano: nanos(receivedAtMs), body: { stringValue: 'x'.repeat(900_000) } }] },
        ],
      },
    ],
  });
  const first = send(door, large, {}, '/v1/logs');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const second = await send(door, large, {}, '/v1/logs');
  expect([second.statusCode, second.headers['retry-after'], statusCodeOf(second.rawPayload)]).toEqual([503, '1', 14]);
  open();
  expect((await first).statusCode).toBe(200);
  expect((await send(door, large, {}, '/v1/logs')).statusCode).toBe(200);
});
