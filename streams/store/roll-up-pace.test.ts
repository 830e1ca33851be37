import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Log } from '../log/port.ts';
import type { Store } from './port.ts';
import { createRollUpJob } from './roll-up-job.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A job whose rounds take `statementMs` four times, on a log that grows while `isFed`. */
function paced(statementMs: number) {
  const log = { next: 0, isFed: true };
  const rounds: number[] = [];
  const background = new Set<boolean | undefined>();
  const store = {
    query: async () => [{ tenant: 1, hour: 0, points: 10 }],
    execute: async (_sql: string, _params: unknown, options?: { isBackground?: boolean }) => {
      background.add(options?.isBackground);
      await new Promise((resolve) => setTimeout(resolve, statementMs));
    },
  };
  const job = createRollUpJob({
    store: store as unknown as Store,
    log: {
      committed: async () => {
        if (log.isFed) log.next += 1;
        return [{ partition: 0, next: log.next }];
      },
    } as unknown as Log,
    logger: pino({ level: 'silent' }),
    lag: async () => 0,
    onRound: ({ rolled }) => {
      if (rolled > 0) rounds.push(performance.now());
    },
  });
  return { job, log, rounds, background };
}

test('while points keep coming the job takes a twentieth of the time at most, in the background', async () => {
  const { job, rounds, background } = paced(50);
  job.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(rounds.length).toBeGreaterThanOrEqual(8);
  expect(rounds.length * 0.2).toBeLessThanOrEqual(60 / 20);
  expect([...background]).toEqual([true]);
  const stopped = job.stop();
  await vi.advanceTimersByTimeAsync(1000);
  await stopped;
});

test('however heavy its hours are, it is at most half a minute and a round behind', async () => {
  const { job, rounds } = paced(1000);
  job.start();
  await vi.advanceTimersByTimeAsync(180_000);
  const apart = rounds.slice(1).map((at, index) => at - (rounds[index] ?? 0));
  expect(Math.max(...apart)).toBeLessThanOrEqual(30_000 + 4000 + 1000);
  const stopped = job.stop();
  await vi.advanceTimersByTimeAsync(5000);
  await stopped;
});

test('as soon as nothing comes any more it rolls what is left', async () => {
  const { job, log, rounds } = paced(1000);
  job.start();
  await vi.advanceTimersByTimeAsync(5000);
  expect(rounds).toHaveLength(1);
  log.isFed = false;
  await vi.advanceTimersByTimeAsync(2000 + 4000);
  expect(rounds).toHaveLength(2);
  expect(await job.caughtUp()).toBe(true);
  const stopped = job.stop();
  await vi.advanceTimersByTimeAsync(5000);
  await stopped;
});
