import { gzipSync } from 'node:zlib';
import { createOtlpDecoder, encodeOtlp } from 'streams/otlp';
import { expect, test } from 'vitest';
import { openTestDoor, receivedAtMs, type TestDoor } from '../testing/door.ts';
import { createAdmission } from './admission.ts';
import { createMemoryGuard } from './memory-guard.ts';

const protobuf = 'application/x-protobuf';
const nanos = (ms: number) => `${ms}000000`;

/** Metrics of `points` points, a series each. */
const points = (count: number, from = 0, attributes: object[] = []) =>
  encodeOtlp('metrics', {
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: [
              {
                name: 'm',
                gauge: {
                  dataPoints: Array.from({ length: count }, (_, i) => ({
                    timeUnixNano: nanos(receivedAtMs),
                    asInt: String(i),
                    attributes: [{ key: 'line', value: { stringValue: `l${from + i}` } }, ...attributes],
                  })),
                },
              },
            ],
          },
        ],
      },
    ],
  });

const send = (
  door: TestDoor,
  payload: Uint8Array | string,
  headers: Record<string, string> = {},
  url = '/v1/metrics',
) =>
  (url.startsWith('/v1/') ? door.otlpHttp : door.http).inject({
    method: 'POST',
    url,
    headers: { authorization: 'Bearer alpha', 'content-type': protobuf, ...headers },
    payload: typeof payload === 'string' ? payload : Buffer.from(payload),
  });

/** A clock that a test moves. */
function movedClock() {
  let now = receivedAtMs;
  return { now: () => now, pass: (ms: number) => (now += ms) };
}

test('a tenant beyond its points a second gets 429 until its debt is paid; nothing is stored, others go on', async () => {
  const clock = movedClock();
  const door = await openTestDoor({}, clock.now);
  door.setLimits('isp-alpha', { pointsPerSecond: 10 });
  expect((await send(door, points(130))).statusCode).toBe(200);
  const refused = await send(door, points(1));
  expect([refused.statusCode, refused.headers['retry-after'], refused.rawPayload.toString()]).toEqual([
    429,
    '3',
    expect.stringContaining('limits.points_per_second'),
  ]);
  expect((await send(door, points(1), { authorization: 'Bearer beta' })).statusCode).toBe(200);
  expect(door.appended).toHaveLength(2);
  clock.pass(3001);
  expect((await send(door, points(1))).statusCode).toBe(200);
  expect(await door.metrics()).toContain(
    'pulse_ingest_rejected_total{signal="metrics",reason="limits.points_per_second"} 1',
  );
});

test('bytes a second are those after decompression', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { bytesPerSecond: 1000 });
  const body = points(500);
  expect(gzipSync(body).length).toBeLessThan(10_000);
  expect((await send(door, gzipSync(body), { 'content-encoding': 'gzip' })).statusCode).toBe(200);
  const refused = await send(door, points(1));
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([
    429,
    String(Math.ceil((body.length - 10_000) / 1000)),
  ]);
});

test('while a debt stands a request is refused by its headers: its body is not even decompressed', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { pointsPerSecond: 1 });
  await send(door, points(100));
  const broken = await send(door, Buffer.from('not gzip'), { 'content-encoding': 'gzip' });
  expect(broken.statusCode).toBe(429);
});

test('a limit changed is in force at the next request', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { pointsPerSecond: 1 });
  await send(door, points(100));
  expect((await send(door, points(1))).statusCode).toBe(429);
  door.setLimits('isp-alpha', { requestBytes: 10 });
  expect((await send(door, points(5))).statusCode).toBe(413);
});

test('points of series beyond the cap are cut out and reported; those of known series stay', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { activeSeries: 100 });
  const first = await send(door, points(150));
  expect(first.rawPayload.toString()).toContain('50 series_limit');
  const second = await send(door, points(20, 90));
  expect(second.rawPayload.toString()).toContain('10 series_limit');
  const decoder = createOtlpDecoder();
  const stored = door.appended.map(
    ({ payload }) => decoder.metrics(payload, 1, { oldestMs: 0, newestMs: 4e12 }).records,
  );
  expect(stored).toEqual([100, 10]);
  expect(door.envelopes().map(({ counts }) => counts[0]?.records)).toEqual([100, 10]);
  expect((await send(door, points(150), { authorization: 'Bearer beta' })).rawPayload).toHaveLength(0);
});

test('when every series is beyond the cap nothing is stored, and the answer says so', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { activeSeries: 1 });
  await send(door, points(1));
  const answer = await send(door, points(3, 1));
  expect([answer.statusCode, answer.rawPayload.toString()]).toEqual([200, expect.stringContaining('3 series_limit')]);
  expect(door.appended).toHaveLength(1);
});

test('new series come at their rate once the process has warmed up', async () => {
  const door = await openTestDoor({ warmUpSeconds: 0 });
  door.setLimits('isp-alpha', { newSeriesPerSecond: 5 });
  expect((await send(door, points(80))).rawPayload.toString()).toContain('30 new_series_rate');
  const warming = await openTestDoor();
  warming.setLimits('isp-alpha', { newSeriesPerSecond: 5 });
  expect((await send(warming, points(80))).rawPayload).toHaveLength(0);
});

test('a record with too many or too long attributes is refused alone', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { attributesPerRecord: 1, attributeValueBytes: 5 });
  const many = await send(door, points(2, 0, [{ key: 'more', value: { boolValue: true } }]));
  expect(many.rawPayload.toString()).toContain('2 too_many_attributes');
  const long = await send(door, points(3, 9998));
  expect(long.rawPayload.toString()).toContain('1 attribute_too_long');
  expect(door.envelopes().map(({ counts }) => counts[0]?.records)).toEqual([2]);
});

test('a request above the size of its tenant is 413 by its declared length', async () => {
  const door = await openTestDoor();
  const body = points(100);
  door.setLimits('isp-alpha', { requestBytes: body.length });
  expect((await send(door, body)).statusCode).toBe(200);
  door.setLimits('isp-alpha', { requestBytes: body.length - 1 });
  const declared = await send(door, body);
  expect(declared.statusCode).toBe(413);
  expect(declared.rawPayload.toString()).toContain('limits.request_bytes');
});

test('a tenant with too many requests at once gets 429, another one is served', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { concurrentRequests: 2 });
  const open = door.holdLog();
  const running = [send(door, points(1)), send(door, points(1))];
  await new Promise((resolve) => setTimeout(resolve, 50));
  const third = await send(door, points(1));
  expect([third.statusCode, third.headers['retry-after']]).toEqual([429, '1']);
  const other = send(door, points(1), { authorization: 'Bearer beta' });
  open();
  expect((await Promise.all([...running, other])).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
  expect((await send(door, points(1))).statusCode).toBe(200);
});

test('usage events and REST are bounded by the same rates', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { pointsPerSecond: 1 });
  const event = { specversion: '1.0', type: 'api_calls', source: 's', id: '1', data: { value: '1' } };
  const events = Array.from({ length: 15 }, (_, i) => ({ ...event, id: String(i) }));
  const json = { 'content-type': 'application/json' };
  const usage = '/api/v1/plugins/usage-events';
  expect((await send(door, JSON.stringify(events), json, usage)).statusCode).toBe(200);
  const refused = await send(door, JSON.stringify(event), json, usage);
  expect([refused.statusCode, refused.json().code, refused.headers['retry-after']]).toEqual([
    429,
    'limits.points_per_second',
    '5',
  ]);
  const metric = { name: 'm', value: 1, unit: '1', timestamp: new Date(receivedAtMs).toISOString() };
  expect((await send(door, JSON.stringify(metric), json, '/api/v1/monitoring/metrics')).statusCode).toBe(429);
  expect((await send(door, new Uint8Array(0))).statusCode).toBe(429);
});

for (const [what, limits, code] of [
  ['number', { attributesPerRecord: 2 }, 'limits.attributes_per_record'],
  ['name length', { attributeNameBytes: 4 }, 'limits.attribute_bytes'],
  ['value length', { attributeValueBytes: 6 }, 'limits.attribute_bytes'],
] as const) {
  test(`usage events are bounded in their attributes' ${what}, all or none, and counted`, async () => {
    const door = await openTestDoor();
    const event = (id: string, data: object) => ({ specversion: '1.0', type: 't', source: 's', id, data });
    const small = event('1', { value: '1', a: 'x', b: 'ü' });
    const large = event('2', { value: '1', route: 'ü/long', b: 'y', c: 'z' });
    const usage = (events: object[]) =>
      send(door, JSON.stringify(events), { 'content-type': 'application/json' }, '/api/v1/plugins/usage-events');
    expect((await usage([small, large])).statusCode).toBe(200);
    door.setLimits('isp-alpha', limits);
    const refused = await usage([small, large]);
    expect([refused.statusCode, refused.json()]).toEqual([400, expect.objectContaining({ code, field: '[1].data' })]);
    expect((await usage([small])).statusCode).toBe(200);
    expect(await door.metrics()).toContain(`pulse_ingest_rejected_total{signal="events",reason="${code}"} 1`);
  });
}

test('the envelope says how long the tenant keeps the signal, and what is late unless the key may backfill', async () => {
  const door = await openTestDoor();
  door.setLimits('isp-alpha', { retentionDays: { metrics: 100, logs: 3 }, outOfOrderSeconds: 60 });
  await send(door, points(1));
  await send(door, points(1), { authorization: 'Bearer alpha-backfill' });
  const day = 86_400_000;
  const log = (ms: number) =>
    encodeOtlp('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: nanos(ms) }] }] }] });
  await send(door, log(receivedAtMs - 2 * day), {}, '/v1/logs');
  const old = await send(door, log(receivedAtMs - 4 * day), {}, '/v1/logs');
  expect(old.rawPayload.toString()).toContain('1 too_old');
  expect(door.envelopes().map(({ retentionDays, lateAfterSeconds }) => [retentionDays, lateAfterSeconds])).toEqual([
    [100, 60],
    [100, undefined],
    [3, 60],
  ]);
});

test('one tenant holds a third of the bytes in flight at most, a single request aside', () => {
  const limits = { requestBytes: 1000, concurrentRequests: 10, pointsPerSecond: 1000, bytesPerSecond: 1000 };
  const admission = createAdmission({
    limitsOf: () => limits as never,
    maxInFlightBytes: 900,
    memory: { isOver: () => false },
    now: () => 0,
  });
  const sender = (id: string) => ({ tenant: { id }, principal: {} }) as never;
  const large = admission.enter(sender('a'), 500);
  expect(() => admission.enter(sender('a'), 10)).toThrow(
    expect.objectContaining({ code: 'limits.bytes_in_flight', status: 429 }),
  );
  admission.enter(sender('b'), 300);
  expect(() => admission.enter(sender('b'), 1)).toThrow(expect.objectContaining({ code: 'limits.bytes_in_flight' }));
  expect(() => admission.enter(sender('c'), 200)).toThrow(expect.objectContaining({ code: 'ingest.overloaded' }));
  large.leave();
  admission.enter(sender('a'), 200);
  admission.enter(sender('a'), 100);
});

test('above its memory the process takes one request at a time, and more as soon as it has shrunk', () => {
  let rssBytes = 2000;
  const memory = createMemoryGuard({ maxBytes: 1000, sampleMs: 1_000_000, read: () => ({ rssBytes, heapBytes: 0 }) });
  const limits = { requestBytes: 100, concurrentRequests: 10, pointsPerSecond: 1000, bytesPerSecond: 1000 };
  const admission = createAdmission({
    limitsOf: () => limits as never,
    maxInFlightBytes: 1_000_000,
    memory,
    now: () => 0,
  });
  const sender = { tenant: { id: 't' }, principal: {} } as never;
  memory.start();
  const alone = admission.enter(sender, 10);
  expect(() => admission.enter(sender, 10)).toThrow(
    expect.objectContaining({ code: 'ingest.overloaded', status: 503 }),
  );
  alone.leave();
  alone.leave();
  const again = admission.enter(sender, 10);
  rssBytes = 500;
  memory.stop();
  memory.start();
  admission.enter(sender, 10).leave();
  again.leave();
  memory.stop();
});
