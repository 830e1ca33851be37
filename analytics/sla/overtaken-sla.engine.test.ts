import type { Store } from 'streams/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addSamples, addSeries, openEngine, seriesId, tenantRecord } from '../testing/engine-fixture.ts';
import { createSlaJob } from './sla-job.ts';
import { readSla } from './sla-reader.ts';

const t0 = Date.UTC(2026, 10, 2);
const tenant = tenantRecord(7);
const series = seriesId(5, 1);
let store: Store;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ store, close } = await openEngine());
});
afterAll(() => close());

test('service levels of a leader that stood still with its write in hand are not those that stand', async () => {
  let offset = 100;
  const openJob = (through: Store) =>
    createSlaJob({
      store: through,
      log: { committed: async () => [{ partition: 0, next: offset }] },
      elapsedMs: () => performance.now(),
    });
  /** A committed batch of points, as minutes and values. */
  const take = async (...points: readonly (readonly [number, number])[]): Promise<void> => {
    await addSamples(
      store,
      7,
      series,
      points.map(([minute, value]) => [t0 + minute * 60_000, value] as const),
    );
    await store.execute(
      `INSERT INTO touched (token, signal, tenant, bucket, seq, at) SELECT 'b${offset}', 'metrics', 7, toDateTime(${t0 / 1000}, 'UTC'), ${offset}, toDateTime64(${t0 / 1000}, 3, 'UTC')`,
    );
    offset++;
  };
  const measured = async () => {
    const [report] = await readSla(store, [{ tenant, period: '2026-11' }], t0 + 3_600_000);
    return [report?.measuredSeconds, report?.badSeconds];
  };
  await addSeries(store, { tenant: 7, metric: 'dotmac.health.status', series, kind: 'gauge' });
  await take([0, 1], [1, 1]);
  let writes = 0;
  const overtaken = openJob({
    ...store,
    query: (...call) => store.query(...call),
    execute: (...call) => store.execute(...call),
    async insert(...call) {
      writes += 1;
      if (writes === 1) {
        // The masks in hand know two minutes; meanwhile another process computes four, of which one is bad.
        await take([2, 0], [3, 1]);
        await openJob(store).run();
        expect(await measured()).toEqual([240, 60]);
      }
      return store.insert(...call);
    },
  });
  await overtaken.run();
  expect(writes).toBe(1);
  expect(await measured()).toEqual([240, 60]);
  // Its mark takes nothing back either: there is nothing to do again, and what comes next is done.
  expect(await openJob(store).run()).toEqual({ computed: 0, waiting: 0 });
  await take([4, 1]);
  expect((await openJob(store).run()).computed).toBe(1);
  expect(await measured()).toEqual([300, 60]);
});
