import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppError } from '../contract/index.ts';
import { readLedger } from './ledger.ts';
import type { Store } from './port.ts';
import { openStoreFixture, rowsOf, type StoreFixture } from './store-fixture.ts';
import { BatchFeed, logRequest, numberMetric, openPipeline, receivedAt, spanRequest } from './telemetry-fixture.ts';

const hour = 3_600_000;
const at = Math.floor(receivedAt / hour) * hour;

let fixture: StoreFixture;
let feed: BatchFeed;
const opened: ReturnType<typeof openPipeline>[] = [];
beforeEach(async () => {
  fixture = await openStoreFixture();
  feed = new BatchFeed();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((pipeline) => pipeline.close()));
  await fixture.close();
});

/** A process of its own on the same tables. */
function process(store: Store) {
  const pipeline = openPipeline({ dir: mkdtempSync(join(tmpdir(), 'pulse-lost-')), store, feed });
  opened.push(pipeline);
  return pipeline;
}
function request() {
  feed.otlp(
    'metrics',
    numberMetric('dotmac.logins', [
      [at + 1000, 1],
      [at + 2000, 2],
    ]),
  );
  feed.otlp('traces', spanRequest(['b7ad6b7169203331'], at + 1000));
  feed.otlp('logs', logRequest(['one', 'two'], at + 1000));
}
const duplicates = async () => {
  const rows = await readLedger(fixture.store, { fromHour: at / 1000 - 86_400, toHour: at / 1000 + 3600 });
  expect(rows.every(({ logged, duplicates: found, stored }) => logged - found === stored)).toBe(true);
  return rows.reduce((sum, row) => sum + row.duplicates, 0);
};
const fenced = () => Promise.reject(new AppError('log.fenced', 'somebody else has it', { retryable: true }));

test('a consumer that has lost the partition writes nothing to the ledger, whatever it has counted', async () => {
  request();
  const late = process(fixture.store);
  await process(fixture.store).consumer.handle(feed.plan());
  const before = await rowsOf(fixture.store, 'SELECT * FROM touched FINAL ORDER BY ALL');
  // It counts after its successor has stored everything: all would be duplicates.
  await expect(late.consumer.handle({ ...feed.plan(), confirm: fenced })).rejects.toMatchObject({ code: 'log.fenced' });
  expect(await rowsOf(fixture.store, 'SELECT * FROM touched FINAL ORDER BY ALL')).toEqual(before);
  expect(await duplicates()).toBe(0);
});

test('what a consumer wrote to the ledger before it lost the partition stands, though its successor had looked already', async () => {
  request();
  const late = process(fixture.store);
  // It wakes and writes while its successor is between its first look and its own writing.
  const woken = async () => {
    await late.consumer.handle(feed.plan());
  };
  const next = process(fixture.store);
  await next.consumer.handle({ ...feed.plan(true), confirm: woken });
  expect(await duplicates()).toBe(0);
  expect(await rowsOf(fixture.store, 'SELECT count() AS n FROM touched')).toEqual(
    await rowsOf(fixture.store, 'SELECT count() AS n FROM touched FINAL'),
  );
});
