import { connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import {
  type ChannelOptions,
  type Client,
  status as codes,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { encodeOtlp, type OtlpSignal } from 'streams/otlp';
import { afterEach, expect, test } from 'vitest';
import { logDown, openTestDoor, receivedAtMs, type TestDoor } from '../testing/door.ts';
import { exportServices } from './export-services.ts';

const nanos = (ms: number) => `${ms}000000`;
const open: { client?: Client; door?: TestDoor }[] = [];
afterEach(async () => {
  for (const { client, door } of open.splice(0)) {
    client?.close();
    await door?.otlpGrpc.drain();
  }
});

function gauge(times: readonly number[], tenant?: string): Uint8Array {
  const attributes = tenant === undefined ? [] : [{ key: 'dotmac.tenant.id', value: { stringValue: tenant } }];
  const dataPoints = times.map((ms, i) => ({ timeUnixNano: nanos(ms), asInt: String(i) }));
  return encodeOtlp('metrics', {
    resourceMetrics: [
      { resource: { attributes }, scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints } }] }] },
    ],
  });
}

async function listening(config: Record<string, unknown> = {}) {
  const door = await openTestDoor(config);
  open.push({ door });
  const url = await door.otlpGrpc.listen({ host: '127.0.0.1', port: 0, variable: 'PORT', tls: null });
  return { door, address: url.replace('http://', ''), url };
}

interface Answer {
  readonly code: number;
  readonly message: string;
  readonly details: string;
  readonly body: Buffer;
}

/** One call of Export as a client of any language makes it. */
function send(
  address: string,
  payload: Uint8Array,
  options: {
    signal?: OtlpSignal;
    headers?: Record<string, string>;
    channel?: ChannelOptions;
    deadlineMs?: number;
  } = {},
): Promise<Answer> {
  const service = exportServices.find(({ signal }) => signal === (options.signal ?? 'metrics'));
  if (service === undefined) throw new Error('no such signal');
  const Constructor = makeGenericClientConstructor(service.definition, service.name);
  const client = new Constructor(address, credentials.createInsecure(), options.channel);
  open.push({ client });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries({ authorization: 'Bearer alpha', ...options.headers })) {
    if (value !== '') metadata.set(name, value);
  }
  const deadline = Date.now() + (options.deadlineMs ?? 10_000);
  return new Promise((resolve) => {
    client['Export']?.(payload, metadata, { deadline }, (error: ServiceError | null, body?: Buffer) => {
      const details = error?.metadata?.get('grpc-status-details-bin')[0] ?? '';
      resolve({
        code: error?.code ?? 0,
        message: error?.details ?? '',
        details: details.toString(),
        body: body ?? Buffer.alloc(0),
      });
    });
  });
}

test('a message travels to the log as it came, plain and compressed, and is the tenant of its credential', async () => {
  const { door, address } = await listening();
  const payload = gauge([receivedAtMs]);
  expect(await send(address, payload)).toMatchObject({ code: codes.OK, body: Buffer.alloc(0) });
  const compressed = await send(address, payload, { channel: { 'grpc.default_compression_algorithm': 2 } });
  expect(compressed.code).toBe(codes.OK);
  expect(door.appended.map((message) => Buffer.compare(message.payload, payload))).toEqual([0, 0]);
  expect(door.envelopes()[0]).toMatchObject({ tenant: 'isp-alpha', credential: 'key:alpha', signal: 'metrics' });
  expect(await door.metrics()).toContain('pulse_ingest_requests_total{signal="metrics",status="200"} 2');
});

test('the three services take their signal, and an empty request is good', async () => {
  const { door, address } = await listening();
  const span = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    startTimeUnixNano: nanos(receivedAtMs),
  };
  const traces = encodeOtlp('traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  const record = { timeUnixNano: nanos(receivedAtMs), body: { stringValue: 'x' } };
  const logs = encodeOtlp('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] });
  for (const [signal, payload] of [
    ['traces', traces],
    ['logs', logs],
    ['metrics', new Uint8Array(0)],
  ] as const) {
    expect((await send(address, payload, { signal })).code, signal).toBe(codes.OK);
  }
  expect(door.envelopes().map(({ signal }) => signal)).toEqual(['traces', 'logs']);
});

test('rejected points are named in partial_success', async () => {
  const { address } = await listening();
  const day = 86_400_000;
  const answer = await send(address, gauge([receivedAtMs, receivedAtMs - 401 * day, receivedAtMs + 2 * day]));
  expect(answer.code).toBe(codes.OK);
  // ExportMetricsServiceResponse { partial_success 1 { rejected_data_points 1: 2, error_message 2 } }
  expect([...answer.body.subarray(0, 5)]).toEqual([0x0a, answer.body.length - 2, 0x08, 2, 0x12]);
  expect(answer.body.subarray(6).toString()).toBe('1 too_old, 1 too_far_ahead');
});

const good = gauge([receivedAtMs]);
const refused: readonly (readonly [string, Uint8Array, Record<string, string>, number, string])[] = [
  ['no credential', good, { authorization: '' }, codes.UNAUTHENTICATED, 'access.unauthenticated'],
  ['an unknown key', good, { authorization: 'Bearer nobody' }, codes.UNAUTHENTICATED, 'access.unauthenticated'],
  ['a tenant of another', gauge([receivedAtMs], 'isp-beta'), {}, codes.PERMISSION_DENIED, 'ingest.tenant_mismatch'],
  ['a foreign header', good, { 'x-tenant-id': 'isp-beta' }, codes.PERMISSION_DENIED, 'access.forbidden'],
  ['malformed protobuf', Buffer.from([0x0a, 0x7f, 1]), {}, codes.INVALID_ARGUMENT, 'otlp.malformed'],
];
for (const [what, payload, headers, code, reason] of refused) {
  test(`${what} is ${codes[code]} with ${reason}, and nothing is stored`, async () => {
    const { door, address } = await listening();
    const answer = await send(address, payload, { headers });
    expect([answer.code, answer.message.split(':')[0]]).toEqual([code, reason]);
    expect(answer.details).toContain(answer.message);
    expect(answer.details).not.toContain('RetryInfo');
    expect(door.appended).toEqual([]);
    expect(await door.metrics()).toContain(`reason="${reason}"} 1`);
  });
}

test('a message above the bound is RESOURCE_EXHAUSTED without RetryInfo, plain or as a bomb', async () => {
  const { address } = await listening({ maxBodyMiB: 1 });
  const large = Buffer.alloc(1024 * 1024 + 1);
  for (const channel of [{}, { 'grpc.default_compression_algorithm': 2 }]) {
    const answer = await send(address, large, { channel });
    expect([answer.code, answer.details]).toEqual([codes.RESOURCE_EXHAUSTED, '']);
  }
});

test('a fault of ours is UNAVAILABLE with RetryInfo, whatever it is, and tells no secret', async () => {
  const { door, address } = await listening();
  for (const fault of [logDown(), new Error('surprise with a secret')]) {
    door.failLog(fault);
    const answer = await send(address, good);
    expect(answer.code).toBe(codes.UNAVAILABLE);
    expect(answer.details).toContain('google.rpc.RetryInfo');
    expect(answer.message).not.toContain('secret');
  }
});

test('a limit is RESOURCE_EXHAUSTED with RetryInfo', async () => {
  const { door, address } = await listening();
  const release = door.holdLog();
  const held = Array.from({ length: 32 }, () => send(address, good));
  await expect.poll(async () => (await send(address, good)).code).toBe(codes.RESOURCE_EXHAUSTED);
  expect((await send(address, good)).details).toContain('google.rpc.RetryInfo');
  release();
  expect(new Set((await Promise.all(held)).map(({ code }) => code)).has(codes.OK)).toBe(true);
  expect((await send(address, good)).code).toBe(codes.OK);
});

test("the caller's deadline ends the call, and its place is free again", async () => {
  const { door, address } = await listening();
  const release = door.holdLog();
  const calls = Array.from({ length: 32 }, () => send(address, good, { deadlineMs: 150 }));
  expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(new Set([codes.DEADLINE_EXCEEDED]));
  release();
  await expect.poll(async () => (await send(address, good)).code).toBe(codes.OK);
});

test('a drain answers the calls in hand, takes no others, and acknowledges nothing afterwards', async () => {
  const { door, address } = await listening({ grpc: { drainSeconds: 5 } });
  const release = door.holdLog();
  const inHand = send(address, good);
  await new Promise((resolve) => setTimeout(resolve, 100));
  let drained = false;
  const drain = door.otlpGrpc.drain().then(() => {
    drained = true;
  });
  expect((await send(address, good, { deadlineMs: 300 })).code).not.toBe(codes.OK);
  expect(drained).toBe(false);
  release();
  expect((await inHand).code).toBe(codes.OK);
  await drain;
  expect(door.appended.length).toBe(1);
});

test('a drain does not wait for ever: what is cut off is not acknowledged', async () => {
  const { door, address } = await listening({ grpc: { drainSeconds: 0.1 } });
  const release = door.holdLog();
  const inHand = send(address, good);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const drain = door.otlpGrpc.drain();
  const { code } = await inHand;
  release();
  await drain;
  // Exporters repeat CANCELLED.
  expect(code).toBe(codes.CANCELLED);
});

test('a message that does not arrive is ended, and its place is free again', async () => {
  const { url } = await listening({ grpc: { receiveTimeoutSeconds: 0.2 } });
  const session = connect(url);
  const stream = session.request({
    ':method': 'POST',
    ':path': exportServices[0]?.path ?? '',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: 'Bearer alpha',
  });
  stream.write(Buffer.from([0, 0, 0]));
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
  expect([headers['grpc-status'], headers['grpc-message']]).toEqual([
    String(codes.DEADLINE_EXCEEDED),
    'ingest.receive_timeout:%20the%20message%20did%20not%20arrive%20in%20time',
  ]);
  session.destroy();
});

test('bytes that are not what their encoding says end in a status, and the server goes on', async () => {
  const { door, address, url } = await listening();
  const framed = (flag: number, bytes: Uint8Array) => {
    const head = Buffer.alloc(5);
    head[0] = flag;
    head.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([head, bytes]);
  };
  const session = connect(url);
  for (const bytes of [Buffer.from('no gzip'), gzipSync(good).subarray(0, 20)]) {
    const stream = session.request({
      ':method': 'POST',
      ':path': exportServices[0]?.path ?? '',
      'content-type': 'application/grpc',
      'grpc-encoding': 'gzip',
      te: 'trailers',
      authorization: 'Bearer alpha',
    });
    stream.end(framed(1, bytes));
    const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
    expect(Number(headers['grpc-status'])).toBeGreaterThan(0);
  }
  session.destroy();
  expect(door.appended).toEqual([]);
  expect((await send(address, good)).code).toBe(codes.OK);
});

test('a port that is taken is named with its variable', async () => {
  const { url } = await listening();
  const other = await openTestDoor();
  await expect(
    other.otlpGrpc.listen({ host: '127.0.0.1', port: Number(new URL(url).port), variable: 'PULSE_X', tls: null }),
  ).rejects.toMatchObject({ code: 'server.port_taken', message: expect.stringContaining('PULSE_X') });
});
