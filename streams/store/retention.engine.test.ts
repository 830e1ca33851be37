import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStoreFixture, rowsOf, type StoreFixture } from './store-fixture.ts';

const day = 86_400_000;

describe('retention of a row by its own retention_days', () => {
  let fixture: StoreFixture;
  beforeAll(async () => {
    fixture = await openStoreFixture();
  });
  afterAll(() => fixture.close());

  /** Rows 30 days old, one of a class of 7 days and one of 400, in the same partition. */
  const tables = [
    { table: 'samples', time: 'time', key: 'series' },
    { table: 'log_records', time: 'Timestamp', key: 'hash' },
    { table: 'spans', time: 'Timestamp', key: 'Duration' },
    // By their receipt: what was backfilled from long ago stays.
    { table: 'usage_events', time: 'received', key: 'offset' },
    { table: 'usage_conflicts', time: 'received', key: 'offset' },
  ] as const;

  test.each(tables)(
    '$table: after a merge the class of 7 days is gone, that of 400 days stays',
    async ({ table, time, key }) => {
      const { store } = fixture;
      const at = Date.now() - 30 * day;
      for (const days of [7, 400])
        await store.execute(
          `INSERT INTO ${table} (tenant, ${key}, ${time}, retention_days) SELECT 1, {days:UInt16}, fromUnixTimestamp64Milli({at:Int64}), {days:UInt16}`,
          { days, at },
        );
      await store.execute(`OPTIMIZE TABLE ${table} FINAL`);
      expect(await rowsOf(store, `SELECT toUInt32(${key}) AS days FROM ${table}`)).toEqual([{ days: 400 }]);
    },
  );
});
