import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEmbeddedLog } from '../log/index.ts';
import { createOtlpDecoder, timeBounds } from '../otlp/index.ts';
import { readLedger } from './ledger.ts';
import { createRollUpJob } from './roll-up-job.ts';
import { fixedClock, openStoreFixture, silentLogger } from './store-fixture.ts';
import { createTelemetryConsumer } from './telemetry-consumer.ts';
import { BatchFeed, numberMetric, receivedAt } from './telemetry-fixture.ts';
import { openUsageIdentities } from './usage-identities.ts';

test('what is appended to the real log is stored and rolled up once, also by a second process', async () => {
  const fixture = await openStoreFixture();
  const log = createEmbeddedLog({ dir: join(fixture.dir, 'log'), clock: fixedClock(receivedAt) });
  await log.start();
  const hour = Math.floor(receivedAt / 3_600_000) * 3_600_000;
  const messages = [1, 2, 1].map((tenant) => {
    const feed = new BatchFeed().otlp(
      'metrics',
      numberMetric('m', [
        [hour, 1],
        [hour + 1000, 2],
      ]),
      tenant,
    );
    const { headers, payload } = feed.plan().records[0] ?? { headers: {}, payload: new Uint8Array() };
    return { key: `t-${tenant}`, headers, payload };
  });

  async function run() {
    const identities = openUsageIdentities(join(fixture.dir, 'usage-identities'));
    const consumer = createTelemetryConsumer({
      log,
      store: fixture.store,
      tenants: { byNumber: () => undefined },
      identities,
      createDecoder: () => createOtlpDecoder(),
      bounds: (at) => timeBounds(at),
      retentionDays: 400,
      clock: fixedClock(receivedAt),
      logger: silentLogger,
    });
    const job = createRollUpJob({
      store: fixture.store,
      log,
      logger: silentLogger,
      lag: () => consumer.lag(),
      intervalMs: 20,
    });
    await consumer.start();
    job.start();
    await log.append('telemetry', messages);
    await expect.poll(() => job.caughtUp(), { timeout: 20_000, interval: 20 }).toBe(true);
    await job.stop();
    await consumer.stop();
    await identities.close();
    return readLedger(fixture.store, { fromHour: hour / 1000, toHour: hour / 1000 + 3600 });
  }

  const first = await run();
  expect(first.map((row) => [row.tenant, row.accepted, row.duplicates, row.stored, row.rolledUp])).toEqual([
    [1, 4, 2, 2, 2],
    [2, 2, 0, 2, 2],
  ]);
  await fixture.reopen();
  const second = await run();
  expect(second.map((row) => [row.tenant, row.accepted, row.duplicates, row.stored, row.rolledUp])).toEqual([
    [1, 8, 6, 2, 2],
    [2, 4, 2, 2, 2],
  ]);
  expect(second.every((row) => !row.rollUpPending)).toBe(true);
  await log.stop();
  await fixture.close();
});
