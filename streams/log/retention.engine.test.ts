import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyRetention } from './retention.ts';
import { startedLog, temporaryDirectory, texts } from './test-disk.ts';

const dayMs = 86_400_000;
const silent = { warn: () => undefined, error: () => undefined };

describe('retention of the log', () => {
  let root: { readonly dir: string; remove(): Promise<void> };
  let now = 1_795_000_000_000;
  const clock = { now: () => now };
  beforeEach(async () => {
    root = await temporaryDirectory();
    now = 1_795_000_000_000;
  });
  afterEach(() => root.remove());

  async function written(options: { readonly consumed: number }) {
    // A segment a record.
    const log = await startedLog(root.dir, { segmentBytes: 1, clock });
    for (let day = 0; day < 10; day += 1) {
      await log.append('decisions', [{ key: 'k', headers: {}, payload: Buffer.from(`day ${day}`) }]);
      now += dayMs;
    }
    if (options.consumed > 0) {
      const consumer = log.consumer({
        topic: 'decisions',
        group: 'g',
        maxRecords: 1,
        maxBytes: 1000,
        lingerMs: 0,
        handle: async (batch) => {
          if (batch.first >= options.consumed) throw new Error('stays');
        },
        onError: () => undefined,
      });
      await consumer.start();
      while ((await log.committed('decisions', 'g'))[0]?.next !== options.consumed)
        await new Promise((resolve) => setTimeout(resolve, 5));
      await consumer.stop();
    }
    return log;
  }

  it('drops what is older than the days, and nothing that is younger', async () => {
    const log = await written({ consumed: 9 });
    expect(await applyRetention({ log, clock, days: 4, logger: silent })).toBeGreaterThan(0);
    expect(await texts(log)).toEqual(['day 6', 'day 7', 'day 8', 'day 9']);
    expect(await applyRetention({ log, clock, days: 4, logger: silent })).toBe(0);
    await log.stop();
    const again = await startedLog(root.dir, { segmentBytes: 1, clock });
    expect(await texts(again)).toEqual(['day 6', 'day 7', 'day 8', 'day 9']);
    await again.stop();
  });

  it('drops nothing twice: two at a time drop what one does', async () => {
    const log = await written({ consumed: 0 });
    await Promise.all([5, 5, 4].map((before) => log.retain('decisions', 0, before)));
    expect(await texts(log)).toEqual(['day 5', 'day 6', 'day 7', 'day 8', 'day 9']);
    await log.stop();
  });

  it('keeps what a group has not taken yet, however old it is', async () => {
    const log = await written({ consumed: 3 });
    await applyRetention({ log, clock, days: 1, logger: silent });
    expect((await texts(log))[0]).toBe('day 3');
    await log.stop();
  });

  it('keeps everything while nothing is old enough', async () => {
    const log = await written({ consumed: 0 });
    expect(await applyRetention({ log, clock, days: 100, logger: silent })).toBe(0);
    expect(await texts(log)).toHaveLength(10);
    await log.stop();
  });
});
