import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createKafkaLog, createSpooledLog, type KafkaLog, type LogRecord, type SpooledLog } from 'streams/log';
import { systemClock } from 'streams/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../pulse-process.ts';
import { type Broker, startBroker } from './broker.ts';

const home = mkdtempSync(join(tmpdir(), 'pulse-spool-'));
const mebibyte = 1024 * 1024;
let broker: Broker;
beforeAll(async () => {
  broker = await startBroker(join(home, 'broker'));
});
afterAll(async () => {
  await broker.stop();
  rmSync(home, { recursive: true, force: true });
});

interface Opened {
  readonly log: SpooledLog;
  readonly remote: KafkaLog;
}
const open = async (prefix: string, bytesMax = 64 * mebibyte): Promise<Opened> => {
  const remote = createKafkaLog({
    connection: { brokers: [broker.address] },
    clock: systemClock,
    prefix,
    partitions: 3,
  });
  const log = createSpooledLog({
    remote,
    dir: join(home, prefix),
    bytesMax,
    clock: systemClock,
    logger: pino({ level: 'silent' }),
    probeMs: 100,
  });
  await log.start();
  return { log, remote };
};
const message = (key: string, text: string, bytes = 0) => ({
  key,
  headers: { n: text },
  payload: Buffer.concat([Buffer.from(text), Buffer.alloc(bytes, 7)]),
});
const drained = ({ log }: Opened) =>
  until(
    async () => log.spool(),
    ({ spooling }) => !spooling,
    60,
  );

async function numbers({ log }: Opened): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { partition, first, next } of await log.offsets('telemetry'))
    for await (const record of log.read('telemetry', partition, first, next)) {
      const { key, headers }: LogRecord = record;
      found.set(key, [...(found.get(key) ?? []), headers['n'] ?? '']);
    }
  return found;
}

test('what is appended while the broker is away is sent by itself when it is back, in order, also by the next run after a crash; meanwhile the bound refuses', {
  timeout: 180_000,
}, async () => {
  let opened = await open('spool-1.');
  const keys = ['isp-a', 'isp-b', 'isp-c', 'isp-d'];
  let next = 0;
  const append = async (count: number) => {
    for (let index = 0; index < count; index += 1, next += 1)
      await opened.log.append(
        'telemetry',
        keys.map((key) => message(key, String(next))),
      );
  };
  await append(20);
  expect(opened.log.spool()).toMatchObject({ spooling: false, bytes: 0 });
  await broker.kill();
  await append(20);
  expect(opened.log.spool()).toMatchObject({ spooling: true, isFull: false });
  expect(opened.log.spool().bytes).toBeGreaterThan(0);
  // The process dies with its spool; the next one finds the broker still away and goes on behind it.
  await opened.remote.sever();
  await opened.log.stop();
  const small = await open('spool-1.', 1);
  await expect(small.log.append('telemetry', [message('isp-a', 'x')])).rejects.toMatchObject({
    code: 'log.unavailable',
    status: 503,
    retryable: true,
    retryAfterSeconds: 1,
  });
  expect(small.log.spool().isFull).toBe(true);
  await small.remote.sever();
  await small.log.stop();
  opened = await open('spool-1.');
  expect(opened.log.spool().spooling).toBe(true);
  await append(20);
  await broker.restart();
  await append(20);
  await drained(opened);
  await append(20);
  const found = await numbers(opened);
  for (const key of keys) {
    // Sent twice at most around the crash; first arrivals are in order and complete.
    const firsts = [...new Set(found.get(key))];
    expect(firsts).toEqual(Array.from({ length: next }, (_, index) => String(index)));
  }
  await opened.log.stop();
});

test('the spool is drained at least twice as fast as records come in', { timeout: 180_000 }, async () => {
  const opened = await open('spool-2.', 512 * mebibyte);
  const body = readFileSync(process.execPath).subarray(0, 200_000);
  await broker.kill();
  let sent = 0;
  let ended = false;
  const arrival = (async () => {
    while (!ended) {
      await opened.log.append('telemetry', [{ key: `isp-${sent % 12}`, headers: { n: String(sent) }, payload: body }]);
      sent += 1;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 8000));
  await broker.restart();
  await opened.remote.probe().catch(() => undefined);
  const waiting = sent;
  const awayMs = performance.now() - began;
  const back = performance.now();
  await drained(opened);
  const drainMs = performance.now() - back;
  const rate = sent / (performance.now() - began);
  ended = true;
  await arrival;
  const times = sent / drainMs / rate;
  process.stdout.write(
    `spool: ${waiting} records of ${(awayMs / 1000).toFixed(1)} s away, drained in ${(drainMs / 1000).toFixed(1)} s: ${times.toFixed(1)} times the arrival\n`,
  );
  expect(times).toBeGreaterThan(2);
  expect([...(await numbers(opened)).values()].flat().length).toBeGreaterThanOrEqual(sent);
  await opened.log.stop();
});
