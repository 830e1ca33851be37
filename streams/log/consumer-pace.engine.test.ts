import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startedLog, temporaryDirectory } from './test-disk.ts';

/** Feeds a consumer whose batches take `handleMs` with a small record every few milliseconds. Answers how many batches it made of them. */
async function batchesOf(options: { handleMs: number; lingerMs: number; busyLingerMs?: number }): Promise<number> {
  const { handleMs, ...linger } = options;
  const { dir, remove } = await temporaryDirectory();
  const log = await startedLog(dir);
  let batches = 0;
  let records = 0;
  const consumer = log.consumer({
    topic: 'decisions',
    group: 'g',
    maxRecords: 1000,
    maxBytes: 1_000_000,
    ...linger,
    async handle(batch) {
      batches += 1;
      await sleep(handleMs);
      records += batch.records.length;
    },
    onError() {},
  });
  await consumer.start();
  const until = performance.now() + 1500;
  let sent = 0;
  while (performance.now() < until) {
    await log.append('decisions', [{ key: 'k', headers: {}, payload: Buffer.from('x') }]);
    sent += 1;
    await sleep(4);
  }
  while (records < sent) await sleep(5);
  await consumer.stop();
  await log.stop();
  await remove();
  return batches;
}

test('a consumer whose batches take long makes fewer and fuller ones, within its longest linger', async () => {
  // 40 ms a batch and 160 ms of linger: 7 or 8; as fast as it can it would be 35.
  const rested = await batchesOf({ handleMs: 40, lingerMs: 1, busyLingerMs: 400 });
  expect(rested).toBeLessThanOrEqual(12);
  // Never longer than it is told: 40 ms and 60 ms.
  const bounded = await batchesOf({ handleMs: 40, lingerMs: 1, busyLingerMs: 60 });
  expect(bounded).toBeGreaterThan(rested);
});
