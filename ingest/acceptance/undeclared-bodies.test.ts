import { type ClientRequest, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { encodeOtlp } from 'streams/otlp';
import { afterEach, expect, test } from 'vitest';
import { openTestDoor, receivedAtMs, type TestDoor } from '../testing/door.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const opened: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of opened.splice(0)) {
    app.server.closeAllConnections();
    await app.close();
  }
});

interface Chunked {
  readonly sender: ClientRequest;
  readonly answer: Promise<{ readonly status: number; readonly retryAfter: string | undefined; readonly text: string }>;
}

/** Begins a request whose length is not declared. */
async function begin(door: TestDoor, url: string, key = 'alpha'): Promise<Chunked> {
  const app = url.startsWith('/v1/') ? door.otlpHttp : door.http;
  if (!app.server.listening) {
    await app.listen({ host: '127.0.0.1', port: 0 });
    opened.push(app);
  }
  const type = url.startsWith('/v1/') ? 'application/x-protobuf' : 'application/json';
  const sender = request({
    port: (app.server.address() as AddressInfo).port,
    host: '127.0.0.1',
    method: 'POST',
    path: url,
    headers: { authorization: `Bearer ${key}`, 'content-type': type, 'transfer-encoding': 'chunked' },
  });
  sender.on('error', () => {});
  const answer = new Promise<Awaited<Chunked['answer']>>((resolve) => {
    sender.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text }),
      );
    });
  });
  return { sender, answer };
}

const points = encodeOtlp('metrics', {
  resourceMetrics: [
    {
      scopeMetrics: [
        { metrics: [{ name: 'm', gauge: { dataPoints: [{ timeUnixNano: `${receivedAtMs}000000`, asInt: '1' }] } }] },
      ],
    },
  ],
});

test('a body in chunks is taken whole', async () => {
  const door = await openTestDoor();
  const { sender, answer } = await begin(door, '/v1/metrics');
  sender.write(points.subarray(0, 5));
  await sleep(20);
  sender.end(points.subarray(5));
  expect((await answer).status).toBe(200);
  expect(Buffer.compare(Buffer.from(door.appended[0]?.payload ?? []), Buffer.from(points))).toBe(0);
});

for (const url of ['/v1/metrics', '/api/v1/plugins/usage-events', '/api/v1/monitoring/metrics', '/api/v1/write']) {
  test(`a body in chunks ends at the tenant's size of a request: ${url}`, async () => {
    const door = await openTestDoor();
    door.setLimits('isp-alpha', { requestBytes: 64 * kibibyte });
    const { sender, answer } = await begin(door, url);
    // More than it may, and not the end: the refusal comes while it is still sending.
    sender.write(Buffer.alloc(100 * kibibyte, ' '));
    const { status, text } = await answer;
    expect([status, text]).toEqual([413, expect.stringContaining('limits.request_bytes')]);
    sender.destroy();
    expect(await door.metrics()).toMatch(/pulse_ingest_rejected_total\{[^}]*reason="limits.request_bytes"\} 1/);
  });
}

test('bodies in chunks count while they come: beyond what fits they are sent away, and what others announced stays', async () => {
  const door = await openTestDoor({ maxInFlightMiB: 16 });
  const first = await begin(door, '/v1/metrics');
  const second = await begin(door, '/v1/metrics', 'beta');
  first.sender.write(Buffer.alloc(9 * mebibyte));
  await sleep(100);
  second.sender.write(Buffer.alloc(9 * mebibyte));
  const { status, retryAfter, text } = await second.answer;
  expect([status, retryAfter, text]).toEqual([503, '1', expect.stringContaining('ingest.overloaded')]);
  second.sender.destroy();
  const another = await begin(door, '/v1/metrics');
  another.sender.end(points);
  expect((await another.answer).status).toBe(429);
  first.sender.destroy();
  await sleep(50);
  const last = await begin(door, '/v1/metrics');
  last.sender.end(points);
  expect((await last.answer).status).toBe(200);
});

test('one of two requests of a tenant is sent away when they hold more than its share', async () => {
  const door = await openTestDoor({ maxInFlightMiB: 16 });
  const first = await begin(door, '/v1/metrics');
  const second = await begin(door, '/v1/metrics');
  first.sender.write(Buffer.alloc(3 * mebibyte));
  await sleep(50);
  second.sender.write(Buffer.alloc(3 * mebibyte));
  const { status, text } = await second.answer;
  expect([status, text]).toEqual([429, expect.stringContaining('limits.bytes_in_flight')]);
  for (const { sender } of [first, second]) sender.destroy();
});

test('a sender that goes away in the middle is counted for what it is, on every route', async () => {
  const door = await openTestDoor();
  for (const url of ['/api/v1/plugins/usage-events', '/api/v1/monitoring/metrics', '/v1/metrics']) {
    const { sender } = await begin(door, url);
    sender.write(' ');
    await sleep(50);
    sender.destroy();
  }
  await sleep(50);
  const counted = (await door.metrics()).split('\n').filter((line) => line.startsWith('pulse_ingest_rejected_total{'));
  expect(counted.toSorted()).toEqual([
    'pulse_ingest_rejected_total{signal="events",reason="ingest.cut_off"} 1',
    'pulse_ingest_rejected_total{signal="metrics",reason="ingest.cut_off"} 2',
  ]);
});

test('a body that is no JSON is counted under the code that it is answered with', async () => {
  const door = await openTestDoor();
  for (const url of ['/api/v1/plugins/usage-events', '/api/v1/monitoring/metrics']) {
    const { sender, answer } = await begin(door, url);
    sender.end('{');
    const code = JSON.parse((await answer).text).code;
    expect(await door.metrics()).toContain(`reason="${code}"} 1`);
  }
});
