import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHeaders } from '../log/envelope.ts';
import { createEmbeddedLog } from '../log/index.ts';
import type { Consumer, Log } from '../log/port.ts';
import { encodeOtlp } from '../otlp/json.ts';
import { createForwarder, type ForwarderOptions, type ForwardOutcome } from './forwarder.ts';
import { createOtlpSender, type OtlpTarget } from './otlp-sender.ts';
import { logBodies, startReceiver, type TestReceiver } from './test-receiver.ts';

let dir: string;
let log: Log;
let receiver: TestReceiver;
let running: Consumer | undefined;
const counted = new Map<string, number>();
const held: (string | null)[] = [];
let now = Date.now();

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pulse-forward-'));
  log = createEmbeddedLog({ dir, clock: { now: () => Date.now() }, logger: pino({ level: 'silent' }) });
  await log.start();
  receiver = await startReceiver();
  counted.clear();
  held.length = 0;
  now = Date.now();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await receiver.stop().catch(() => undefined);
  await log.stop();
  rmSync(dir, { recursive: true, force: true });
});

const message = (tenant: string, bodies: readonly string[], signal: 'logs' | 'metrics' | 'events' = 'logs') => ({
  key: tenant,
  headers: toHeaders({
    tenant,
    tenantNumber: 1,
    signal,
    encoding: signal === 'events' ? 'cloudevents' : 'otlp',
    receivedAt: now,
    credential: 'key:1',
    batch: 'b',
    part: 0,
    parts: 1,
    counts: [{ hour: 0, records: bodies.length }],
  }),
  payload:
    signal === 'logs'
      ? encodeOtlp('logs', {
          resourceLogs: [
            {
              resource: { attributes: [{ key: 'service.name', value: { stringValue: 'isp' } }] },
              scopeLogs: [{ logRecords: bodies.map((stringValue) => ({ body: { stringValue } })) }],
            },
          ],
        })
      : Buffer.from(signal === 'events' ? '[]' : ''),
});

async function forward(over: Partial<ForwarderOptions> = {}, target: Partial<OtlpTarget> = {}): Promise<Consumer> {
  running = createForwarder({
    log,
    sender: createOtlpSender(
      { endpoint: receiver.endpoint, headers: {}, compression: 'gzip', timeoutMs: 300, ...target },
      () => Date.now(),
    ),
    logger: pino({ level: 'silent' }),
    now: () => now,
    signals: new Set(['metrics', 'traces', 'logs']),
    tenants: null,
    maxAgeMs: 3_600_000,
    backoffMs: 20,
    onRecords: (signal, outcome: ForwardOutcome, records) =>
      counted.set(`${signal} ${outcome}`, (counted.get(`${signal} ${outcome}`) ?? 0) + records),
    onHolding: (reason) => held.push(reason),
    ...over,
  });
  await running.start();
  return running;
}
const arrived = () => new Set(logBodies(receiver.taken));

test('what was accepted arrives, each tenant under its name, with the headers of the configuration; usage events do not', async () => {
  await forward({}, { headers: { 'x-key': 'secret' } });
  await log.append('telemetry', [
    message('isp-a', ['one', 'two']),
    message('isp-b', ['three']),
    message('isp-b', ['x'], 'events'),
  ]);
  await expect.poll(() => [...arrived()].sort()).toEqual(['isp-a/one', 'isp-a/two', 'isp-b/three']);
  await expect.poll(() => running?.lag()).toBe(0);
  expect(receiver.taken[0]).toMatchObject({
    path: '/v1/logs',
    headers: { 'x-key': 'secret', 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' },
  });
  expect([...counted]).toEqual([['logs sent', 3]]);
});

test('signals and tenants that are not wanted stay here', async () => {
  await forward({ tenants: new Set(['isp-a']), signals: new Set(['logs']) });
  await log.append('telemetry', [
    message('isp-a', ['one']),
    message('isp-b', ['two']),
    message('isp-a', ['m'], 'metrics'),
  ]);
  await expect.poll(() => running?.lag()).toBe(0);
  expect([...arrived()]).toEqual(['isp-a/one']);
  expect(Object.fromEntries(counted)).toEqual({ 'logs sent': 1, 'logs filtered': 1, 'metrics filtered': 1 });
});

test('over refusals, hangs, broken connections and restarts of both sides all arrives, and nothing that was not sent', async () => {
  const sent: string[] = [];
  let number = 0;
  let failing = 0;
  // Every third request: too many, hung, cut off, taken without an answer.
  receiver.answer = (request, response) => {
    failing += 1;
    switch (failing % 12) {
      case 2:
        response.writeHead(503, { 'retry-after': '0' }).end();
        return false;
      case 5:
        return false;
      case 8:
        response.destroy();
        return false;
      case 11:
        receiver.taken.push(request);
        response.destroy();
        return false;
      default:
        return true;
    }
  };
  const append = async () => {
    const bodies = Array.from({ length: 1 + (number % 3) }, () => `r${++number}`);
    const tenant = `isp-${number % 3}`;
    await log.append('telemetry', [message(tenant, bodies)]);
    sent.push(...bodies.map((body) => `${tenant}/${body}`));
  };
  await forward();
  for (let round = 0; round < 4; round++) {
    for (let index = 0; index < 12; index++) {
      await append();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (round === 1) {
      await receiver.down();
      await append();
      await expect.poll(() => held.at(-1)).toBe('connection');
      await receiver.up();
    }
    if (round === 2) {
      await running?.stop();
      await append();
      await forward();
    }
  }
  await expect.poll(() => running?.lag(), { timeout: 15_000 }).toBe(0);
  expect([...arrived()].sort()).toEqual([...sent].sort());
  // At least once: repeats are counted as sent again, never as something else.
  expect([...counted.keys()]).toEqual(['logs sent']);
  expect(counted.get('logs sent')).toBeGreaterThanOrEqual(sent.length);
});

test('Retry-After is waited for', async () => {
  const times: number[] = [];
  receiver.answer = (_request, response) => {
    times.push(performance.now());
    if (times.length > 1) return true;
    response.writeHead(429, { 'retry-after': '1' }).end();
    return false;
  };
  await forward();
  await log.append('telemetry', [message('isp-a', ['one'])]);
  await expect.poll(() => receiver.taken.length).toBe(1);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
});

test('a payload that the receiver calls bad is left out and counted; its neighbours arrive', async () => {
  receiver.answer = (request, response) => {
    if (!request.body.includes('poison')) return true;
    response.writeHead(400).end();
    return false;
  };
  await log.append('telemetry', [
    message('isp-a', ['one']),
    message('isp-a', ['poison', 'beside']),
    message('isp-a', ['two']),
  ]);
  await forward();
  await expect.poll(() => running?.lag()).toBe(0);
  expect([...arrived()]).toEqual(['isp-a/one', 'isp-a/two']);
  expect(Object.fromEntries(counted)).toEqual({ 'logs sent': 2, 'logs refused': 2 });
});

test('a receiver that fails over one payload does not hold up the others for ever', async () => {
  receiver.answer = (request, response) => {
    if (!request.body.includes('poison')) return true;
    response.writeHead(500).end();
    return false;
  };
  await log.append('telemetry', [message('isp-a', ['poison']), message('isp-a', ['two'])]);
  await forward({ backoffMs: 1 });
  await expect.poll(() => running?.lag()).toBe(0);
  expect(Object.fromEntries(counted)).toEqual({ 'logs sent': 1, 'logs refused': 1 });
});

test('a receiver that refuses the sender loses nothing: it is waited for until its credential is right', async () => {
  let isWelcome = false;
  receiver.answer = (_request, response) => {
    if (!isWelcome) response.writeHead(401).end();
    return isWelcome;
  };
  await log.append('telemetry', [message('isp-a', ['one'])]);
  await forward();
  await expect.poll(() => receiver.requests()).toBeGreaterThan(3);
  expect(held).toEqual(['401']);
  isWelcome = true;
  await expect.poll(() => [...arrived()]).toEqual(['isp-a/one']);
  await expect.poll(() => held).toEqual(['401', null]);
});

test('what is older than its time is left out, also while the receiver is away', async () => {
  await receiver.down();
  await log.append('telemetry', [message('isp-a', ['old'])]);
  await forward({ maxAgeMs: 60_000 });
  await expect.poll(() => held.at(-1)).toBe('connection');
  now += 61_000;
  await expect.poll(() => running?.lag()).toBe(0);
  expect(Object.fromEntries(counted)).toEqual({ 'logs expired': 1 });
  await receiver.up();
});

test('records that the receiver accepted and will not keep are counted apart, in protobuf and in JSON', async () => {
  receiver.answer = (_request, response) => {
    const isFirst = receiver.requests() === 1;
    response.setHeader('content-type', isFirst ? 'application/x-protobuf' : 'application/json');
    // partial_success { rejected_log_records: 2 }
    response.end(isFirst ? Buffer.from([0x0a, 2, 0x08, 2]) : '{"partialSuccess":{"rejectedLogRecords":"1"}}');
    return false;
  };
  await forward();
  await log.append('telemetry', [message('isp-a', ['one', 'two', 'three'])]);
  await expect.poll(() => running?.lag()).toBe(0);
  await log.append('telemetry', [message('isp-a', ['four'])]);
  await expect.poll(() => running?.lag()).toBe(0);
  expect(Object.fromEntries(counted)).toEqual({ 'logs rejected': 3, 'logs sent': 1 });
});

test('stopping while the receiver hangs takes no longer than the batch in hand', async () => {
  receiver.answer = () => false;
  await log.append('telemetry', [message('isp-a', ['one'])]);
  await forward({}, { timeoutMs: 60_000 });
  await expect.poll(() => receiver.requests()).toBe(1);
  const began = performance.now();
  await running?.stop();
  expect(performance.now() - began).toBeLessThan(2000);
  receiver.answer = null;
  await forward();
  await expect.poll(() => [...arrived()]).toEqual(['isp-a/one']);
});
