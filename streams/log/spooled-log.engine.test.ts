import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { AppError } from '../contract/index.ts';
import { systemClock } from '../runtime/clock.ts';
import type { KafkaLog } from './kafka-log.ts';
import { unavailable } from './log-errors.ts';
import { createSpooledLog } from './spooled-log.ts';

const mebibyte = 1024 * 1024;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A spool before brokers that are away, or refuse, as the test says. */
async function openSpool(bytesMax: number) {
  const dir = await mkdtemp(join(tmpdir(), 'pulse-spool-'));
  const brokers = {
    away: null as string | null,
    refusal: null as AppError | null,
    taken: [] as string[],
    probe: async () => {},
  };
  const remote = {
    start: async () => undefined,
    stop: async () => undefined,
    probe: () => brokers.probe(),
    status: () => ({ away: brokers.away }),
    append: async (_topic: string, messages: readonly { headers: Readonly<Record<string, string>> }[]) => {
      if (brokers.away !== null) throw unavailable(brokers.away);
      if (brokers.refusal !== null) throw brokers.refusal;
      brokers.taken.push(...messages.map(({ headers }) => headers['n'] ?? ''));
      return [];
    },
  };
  const warned: string[] = [];
  const log = createSpooledLog({
    remote: remote as unknown as KafkaLog,
    ...{ dir: join(dir, 'spool'), bytesMax, clock: systemClock, probeMs: 20 },
    logger: { warn: (_fields, message) => warned.push(message), error: (_fields, message) => warned.push(message) },
  });
  await log.start();
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= log.stop();
    return stopped;
  };
  ends.push(async () => {
    await stop();
    await rm(dir, { recursive: true, force: true });
  });
  let next = 0;
  const append = async () => {
    await log.append('telemetry', [{ key: 'isp-a', headers: { n: String(next) }, payload: randomBytes(mebibyte / 4) }]);
    next += 1;
  };
  return { log, brokers, warned, append, stop, sent: () => Array.from({ length: next }, (_, index) => String(index)) };
}

const drained = (spool: Awaited<ReturnType<typeof openSpool>>) =>
  vi.waitFor(() => expect(spool.log.spool()).toMatchObject({ spooling: false, isFull: false }), { timeout: 10_000 });

test('what was drained leaves the room of the bound to the next outage', async () => {
  const spool = await openSpool(4 * mebibyte);
  for (let outage = 0; outage < 3; outage += 1) {
    spool.brokers.away = 'nobody answers';
    for (let count = 0; count < 10; count += 1) await spool.append();
    const over = async () => {
      for (;;) await spool.append();
    };
    await expect(over()).rejects.toMatchObject({ code: 'log.unavailable', status: 503 });
    expect(spool.log.spool()).toMatchObject({ spooling: true, isFull: true });
    spool.brokers.away = null;
    await drained(spool);
    expect(spool.brokers.taken).toEqual(spool.sent());
    // Segments go with one of the next looks.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

test('brokers that answer and take nothing are told of', async () => {
  const spool = await openSpool(mebibyte);
  spool.brokers.away = 'nobody answers';
  await spool.append();
  spool.brokers.refusal = new AppError('log.message_too_large', 'too large', { status: 413 });
  spool.brokers.away = null;
  await vi.waitFor(() => expect(spool.warned).toContain('log: the spool is not drained'), { timeout: 5000 });
  spool.brokers.refusal = null;
  await drained(spool);
  expect(spool.brokers.taken).toEqual(['0']);
});

test('a stop in the middle of looking after the spool is a stop', async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);
  process.on('unhandledRejection', hear);
  try {
    const spool = await openSpool(mebibyte);
    spool.brokers.away = 'nobody answers';
    await spool.append();
    // A look begins, and finds the spool closed behind its first wait.
    const probing = Promise.withResolvers<void>();
    let probes = 0;
    spool.brokers.probe = () => {
      probes += 1;
      return probing.promise;
    };
    await vi.waitFor(() => expect(probes).toBe(1));
    const stopping = spool.stop();
    probing.resolve();
    await stopping;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(unheard).toEqual([]);
  } finally {
    process.off('unhandledRejection', hear);
  }
});
