import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Block, Query, Store } from './port.ts';
import { adHoc, rowsOf } from './store-fixture.ts';

/** A started store under test. `restart` ends the engine or server without warning and starts it again over the same data. */
export interface StoreUnderTest {
  readonly store: Store;
  restart(): Promise<void>;
  dispose(): Promise<void>;
}

const start = Date.UTC(2026, 9, 1);

/** `rows` samples of one tenant. */
const samples = (tenant: number, rows: number): Block => ({
  table: 'samples',
  rows,
  columns: [
    { name: 'tenant', type: 'UInt32', values: new Uint32Array(rows).fill(tenant) },
    { name: 'series', type: 'UInt64', values: new BigUint64Array(rows).fill(2n ** 63n + 7n) },
    {
      name: 'time',
      type: "DateTime64(3, 'UTC')",
      values: Float64Array.from({ length: rows }, (_, row) => start + row),
    },
    { name: 'value', type: 'Float64', values: new Float64Array(rows).map((_, row) => row / 3) },
    { name: 'start', type: "DateTime64(3, 'UTC')", values: new Float64Array(rows) },
    { name: 'received', type: "DateTime('UTC')", values: new Uint32Array(rows).fill(start / 1000) },
    { name: 'flags', type: 'UInt8', values: new Uint8Array(rows) },
    { name: 'retention_days', type: 'UInt16', values: new Uint16Array(rows).fill(400) },
  ],
});

/** The guarantees of the `Store` port as a suite that every adapter joins. */
export function storeConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}: store conformance`, () => {
    let subject: StoreUnderTest;
    let store: Store;
    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });
    afterAll(() => subject.dispose());
    const count = async (of: Store, tenant: number) =>
      Number((await rowsOf(of, `SELECT count() AS n FROM samples WHERE tenant = ${tenant}`))[0]?.['n']);

    test('a block arrives as it is, a repeated token is dropped, another token is not', async () => {
      await store.insert(samples(1, 1000), 'a');
      await store.insert(samples(1, 1000), 'a');
      expect(await count(store, 1)).toBe(1000);
      await store.insert(samples(1, 1000), 'b');
      expect(await count(store, 1)).toBe(2000);
      const [row] = await rowsOf(
        store,
        'SELECT series, time, value FROM samples FINAL WHERE tenant = 1 ORDER BY time LIMIT 1 OFFSET 10',
      );
      expect(row).toEqual({ series: '9223372036854775815', time: '2026-10-01 00:00:00.010', value: 10 / 3 });
    });

    test('a block beyond the row limit is split and still written once', async () => {
      await store.insert(samples(2, 500_001), 'big');
      await store.insert(samples(2, 500_001), 'big');
      expect(await count(store, 2)).toBe(500_001);
    });

    test('bytes that are no text, empty arrays and maps survive', async () => {
      const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const block: Block = {
        table: 'log_records',
        rows: 2,
        columns: [
          { name: 'tenant', type: 'UInt32', values: new Uint32Array([3, 3]) },
          { name: 'Body', type: 'String', values: [body, 'é\t\n\\\'"'] },
          { name: 'TraceId', type: 'FixedString(16)', values: [body.subarray(240), body.subarray(0, 16)] },
          { name: 'LogAttributes', type: 'Map(String, String)', values: [new Map(), new Map([['k\0', 'ü']])] },
          { name: 'hash', type: 'UInt64', values: new BigUint64Array([1n, 2n ** 64n - 1n]) },
        ],
      };
      await store.insert(block, 'bytes');
      const rows = await rowsOf(
        store,
        'SELECT hex(Body) AS body, hex(TraceId) AS trace, LogAttributes AS a, hash FROM log_records WHERE tenant = 3 ORDER BY hash',
      );
      expect(rows).toEqual([
        {
          body: Buffer.from(body).toString('hex').toUpperCase(),
          trace: Buffer.from(body.subarray(240)).toString('hex').toUpperCase(),
          a: {},
          hash: '1',
        },
        {
          body: Buffer.from('é\t\n\\\'"').toString('hex').toUpperCase(),
          trace: '000102030405060708090A0B0C0D0E0F',
          a: { 'k\0': 'ü' },
          hash: '18446744073709551615',
        },
      ]);
    });

    test('values are values, never SQL; integers and decimals are exact', async () => {
      const query = {
        ...adHoc(
          "SELECT {s:String} AS s, {a:Array(String)} AS a, {n:UInt64} AS n, toDecimal128('12345678901234567890123456.000000000001', 12) AS d",
        ),
        params: z.object({ s: z.string(), a: z.array(z.string()), n: z.bigint() }),
      };
      const s = "'; DROP TABLE samples; -- \\ \n\t{x:String} ü";
      const params = { s, a: ["it's", 'a,b]', s], n: 2n ** 64n - 1n };
      const expected = [{ s, a: params.a, n: '18446744073709551615', d: '12345678901234567890123456.000000000001' }];
      expect(await store.query(query, params)).toEqual(expected);
      expect(await Array.fromAsync(store.stream(query, params))).toEqual(expected);
    });

    test('a hundred thousand keys are a table of the statement', async () => {
      const ids = new BigUint64Array(100_000).map((_, index) => BigInt(index * 2));
      const keys: Block = { table: 'keys', rows: ids.length, columns: [{ name: 'id', type: 'UInt64', values: ids }] };
      const query = {
        ...adHoc('SELECT toFloat64(count()) AS n FROM numbers(200000) WHERE number IN (SELECT id FROM keys)'),
        row: z.object({ n: z.number() }),
      };
      expect(await store.query(query, {}, { keys })).toEqual([{ n: 100_000 }]);
    });

    test('errors carry codes: wrong SQL, a row of another shape, time, memory, an error in the middle of a stream', async () => {
      await expect(rowsOf(store, 'SELECT nothing')).rejects.toMatchObject({
        code: 'store.query_failed',
        retryable: false,
      });
      const wrong: Query<Record<string, never>, unknown> = {
        ...adHoc("SELECT 'x' AS n"),
        row: z.object({ n: z.number() }),
      };
      await expect(store.query(wrong, {})).rejects.toMatchObject({ code: 'store.row_invalid', field: 'n' });
      const slow = adHoc('SELECT sum(sleepEachRow(0.1)) FROM numbers(50) SETTINGS max_block_size = 1');
      await expect(store.query(slow, {}, { timeoutSeconds: 1 })).rejects.toMatchObject({
        code: 'store.timeout',
        retryable: true,
      });
      const large = adHoc('SELECT length(groupArray(number)) FROM numbers(50000000)');
      await expect(store.query(large, {}, { maxMemoryBytes: 20_000_000 })).rejects.toMatchObject({
        code: 'store.unavailable',
        retryable: true,
      });
      const broken = store.stream(adHoc('SELECT number, throwIf(number = 60000) FROM numbers(100000)'), {});
      await expect(Array.fromAsync(broken)).rejects.toMatchObject({
        code: 'store.query_failed',
        context: { engineCode: '395' },
      });
      expect(await rowsOf(store, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
    });

    test('a stream has every row in order; one that is left early leaves nothing running', async () => {
      let rows = 0;
      for await (const row of store.stream(adHoc('SELECT number FROM numbers(100000)'), {})) {
        if (row['number'] !== String(rows++)) throw new Error(`row ${rows} is ${String(row['number'])}`);
      }
      expect(rows).toBe(100_000);
      for await (const _ of store.stream(adHoc('SELECT number FROM numbers(100000000)'), {})) break;
      await expect
        .poll(() =>
          rowsOf(
            store,
            "SELECT count() AS n FROM system.processes WHERE query LIKE '%numbers(100000000)%' AND query NOT LIKE '%system.processes%'",
          ),
        )
        .toEqual([{ n: '0' }]);
    });

    test('a job moves rows by a statement with values', async () => {
      await store.execute(
        'INSERT INTO rolled SELECT {signal:String}, tenant, toStartOfHour(time), {version:UInt64}, count() FROM samples FINAL WHERE tenant = 1 GROUP BY tenant, toStartOfHour(time)',
        { signal: 'metrics', version: 5n },
      );
      expect(await rowsOf(store, 'SELECT signal, tenant, version, rows FROM rolled FINAL')).toEqual([
        { signal: 'metrics', tenant: 1, version: '5', rows: '1000' },
      ]);
    });

    test('a database of its own has the same schema and goes with everything in it', async () => {
      const other = store.inDatabase('shadow_1');
      await other.start();
      await other.insert(samples(9, 10), 'shadow');
      expect([await count(other, 9), await count(store, 9)]).toEqual([10, 0]);
      const tables = (database: string) =>
        rowsOf(store, `SELECT name FROM system.tables WHERE database = '${database}' ORDER BY name`);
      expect(await tables('shadow_1')).toEqual(await tables('default'));
      await other.stop();
      const again = store.inDatabase('shadow_1');
      await again.start();
      expect(await count(again, 9)).toBe(10);
      await again.dropDatabase();
      await again.dropDatabase();
      expect(await tables('shadow_1')).toEqual([]);
      expect(() => store.inDatabase('default')).toThrow(/database/);
    });

    test('what was acknowledged is there after the engine was started again, and its token is known', async () => {
      await store.insert(samples(4, 100), 'before');
      await subject.restart();
      store = subject.store;
      await store.insert(samples(4, 100), 'before');
      expect(await count(store, 4)).toBe(100);
    });

    test('a stop waits for what runs; afterwards nothing is taken', async () => {
      const slow = rowsOf(store, 'SELECT sleepEachRow(0.3) AS slept FROM numbers(1)');
      const stopped = store.stop();
      expect(await slow).toEqual([{ slept: 0 }]);
      await stopped;
      await expect(rowsOf(store, 'SELECT 1')).rejects.toMatchObject({ code: 'store.unavailable', retryable: true });
      await store.stop();
    });
  });
}
