import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Query, Store } from './port.ts';
import { createRollUpJob } from './roll-up-job.ts';
import { openStoreFixture, silentLogger } from './store-fixture.ts';
import { BatchFeed, numberMetric, openPipeline, receivedAt } from './telemetry-fixture.ts';

let fixture: Awaited<ReturnType<typeof openStoreFixture>>;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

const rows = (sql: string): Query<Record<string, never>, Record<string, unknown>> => ({
  name: 'rows',
  sql,
  params: z.object({}) as never,
  row: z.record(z.string(), z.unknown()),
});
const tables = ['series_hour', 'series_minute', 'usage_hour', 'rolled'];
const visible = async (store: Store) =>
  Promise.all(tables.map((table) => store.query(rows(`SELECT * FROM ${table} FINAL ORDER BY ALL`), {})));

test('roll-ups of a leader that stood still with a statement in hand change nothing that stands, and hold up nothing', async () => {
  const { store } = fixture;
  const feed = new BatchFeed();
  const pipeline = openPipeline({ dir: fixture.dir, store, feed });
  const hour = Math.floor(receivedAt / 3_600_000) * 3_600_000;
  const take = async (second: number, value: number) => {
    feed.otlp('metrics', numberMetric('m', [[hour + second * 1000, value]], { counter: true, startMs: hour }));
    await pipeline.consumer.handle(feed.plan());
    feed.commit();
  };
  const openJob = (through: Store) =>
    createRollUpJob({ store: through, log: feed.log, logger: silentLogger, lag: async () => 0 });
  await take(0, 1);
  await take(60, 5);
  let before: Record<string, unknown>[][] | undefined;
  let statements = 0;
  const overtaken = openJob({
    ...store,
    query: (...call) => store.query(...call),
    async execute(...call) {
      statements += 1;
      if (before === undefined) {
        await take(120, 9);
        await openJob(store).runOnce();
        before = await visible(store);
        // Comes after the other one's round: what the old statement reads now is newer than what it says it has read.
        await take(180, 20);
      }
      return store.execute(...call);
    },
  });
  await overtaken.runOnce();
  expect(statements).toBeGreaterThanOrEqual(4);
  // What stood there stands; what is new is a minute that nobody had rolled up yet, of points that are stored.
  for (const [index, found] of (await visible(store)).entries()) {
    expect({ table: tables[index], found }).toEqual({
      table: tables[index],
      found: expect.arrayContaining<Record<string, unknown>>(before?.[index] ?? [{ nothing: 'was seen' }]),
    });
  }
  // The last point still makes its hour dirty.
  expect(await openJob(store).runOnce()).toBe(0);
  const after = await store.query(
    rows('SELECT toFloat64(sum(increase)) AS grown, sum(count) AS points FROM usage_hour FINAL'),
    {},
  );
  expect(after.map(({ grown, points }) => [Number(grown), Number(points)])).toEqual([[19, 4]]);
  await pipeline.close();
});
