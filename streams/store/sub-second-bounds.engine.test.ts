import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLedger } from './ledger.ts';
import { openStoreFixture, type StoreFixture } from './store-fixture.ts';

/** 2026-11-20T10:00Z. */
const hour = 1_795_168_800;
let fixture: StoreFixture;

beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

describe('a record in the last millisecond of an hour', () => {
  test('belongs to that hour and to no other', async () => {
    const { store } = fixture;
    await store.execute(
      `INSERT INTO usage_events (tenant, type, source, id, time, received, value, partition, offset) SELECT 1, 'api_calls', 's', 'e', fromUnixTimestamp64Milli(toInt64(${hour + 3599}999), 'UTC'), now64(3), 1, 0, 1`,
    );
    await store.execute(
      `INSERT INTO samples (tenant, series, time, value, retention_days) SELECT 1, 5, fromUnixTimestamp64Milli(toInt64(${hour + 3599}999), 'UTC'), 1, 400`,
    );
    await store.execute(
      `INSERT INTO log_records (tenant, Timestamp, ServiceName, hash, retention_days) SELECT 1, fromUnixTimestamp64Nano(toInt64(${hour + 3599}999999999), 'UTC'), 'a', 1, 400`,
    );
    const stored = async (fromHour: number) =>
      (await readLedger(store, { tenant: 1, fromHour, toHour: fromHour + 3600 }))
        .map((row) => `${row.signal} ${row.stored}`)
        .toSorted();
    expect(await stored(hour)).toEqual(['events 1', 'logs 1', 'metrics 1']);
    expect(await stored(hour + 3600)).toEqual([]);
  });
});
