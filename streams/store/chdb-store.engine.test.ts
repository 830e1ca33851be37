import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { applyMigrations, readMigrations, statements } from './migrations.ts';
import type { Block } from './port.ts';
import { adHoc, fixedClock, openStoreFixture, rowsOf, type StoreFixture } from './store-fixture.ts';

const day = 86_400_000;
const start = Date.UTC(2026, 9, 1);

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

/** `rows` samples of one tenant, spread over `days` day partitions. */
function samples(tenant: number, rows: number, days: number): Block {
  const time = Float64Array.from(
    { length: rows },
    (_, row) => start + (row % days) * day + Math.floor(row / days) * 1000,
  );
  return {
    table: 'samples',
    rows,
    columns: [
      { name: 'tenant', type: 'UInt32', values: new Uint32Array(rows).fill(tenant) },
      { name: 'series', type: 'UInt64', values: new BigUint64Array(rows).fill(7n) },
      { name: 'time', type: "DateTime64(3, 'UTC')", values: time },
      { name: 'value', type: 'Float64', values: new Float64Array(rows).map((_, row) => row) },
      { name: 'start', type: "DateTime64(3, 'UTC')", values: new Float64Array(rows) },
      { name: 'received', type: "DateTime('UTC')", values: new Uint32Array(rows).fill(start / 1000) },
      { name: 'flags', type: 'UInt8', values: new Uint8Array(rows) },
      { name: 'retention_days', type: 'UInt16', values: new Uint16Array(rows).fill(400) },
    ],
  };
}
const plainCount = async (tenant: number) =>
  Number((await rowsOf(fixture.store, `SELECT count() AS n FROM samples WHERE tenant = ${tenant}`))[0]?.['n']);

describe('insert', () => {
  test('a repeated token over several day partitions is dropped, also after reopening', async () => {
    const block = samples(1, 3000, 5);
    await fixture.store.insert(block, 'e-telemetry-0-0-9');
    await fixture.store.insert(block, 'e-telemetry-0-0-9');
    expect(await plainCount(1)).toBe(3000);
    await fixture.reopen();
    await fixture.store.insert(block, 'e-telemetry-0-0-9');
    expect(await plainCount(1)).toBe(3000);
    await fixture.store.insert(block, 'e-telemetry-0-10-19');
    const [row] = await rowsOf(fixture.store, 'SELECT count() AS n FROM samples FINAL WHERE tenant = 1');
    expect(row?.['n']).toBe('3000');
  });

  test('a block beyond the row limit is split and still written once', async () => {
    const block = samples(2, 700_001, 1);
    await fixture.store.insert(block, 'big');
    await fixture.store.insert(block, 'big');
    expect(await plainCount(2)).toBe(700_001);
  });

  test('leftover block files go at start and none stays behind', async () => {
    writeFileSync(join(fixture.dir, 'blocks', 'leftover.native'), 'x');
    await fixture.reopen();
    expect(readdirSync(join(fixture.dir, 'blocks'))).toEqual([]);
  });
});

describe('query', () => {
  test('64-bit integers and decimals come back exactly', async () => {
    const [row] = await rowsOf(
      fixture.store,
      "SELECT toUInt64('18446744073709551615') AS u, toInt64('-9223372036854775808') AS i, toDecimal128('12345678901234567890123456.000000000001', 12) AS d",
    );
    expect(row).toEqual({
      u: '18446744073709551615',
      i: '-9223372036854775808',
      d: '12345678901234567890123456.000000000001',
    });
  });

  test('parameters of every kind arrive as values, never as SQL', async () => {
    const query = {
      ...adHoc('SELECT {s:String} AS s, {a:Array(String)} AS a, {n:UInt64} AS n SETTINGS max_threads = 1'),
      params: z.object({ s: z.string(), a: z.array(z.string()), n: z.bigint() }),
    };
    const s = "'; DROP TABLE samples; -- \\ \n\t{x:String}";
    const params = { s, a: ["it's", 'a,b]', s], n: 2n ** 64n - 1n };
    expect(await fixture.store.query(query, params)).toEqual([{ s, a: params.a, n: '18446744073709551615' }]);
    const streamed = [];
    for await (const row of fixture.store.stream(query, params)) streamed.push(row);
    expect(streamed).toEqual([{ s, a: params.a, n: '18446744073709551615' }]);
  });

  test('reads with values run side by side: a slow one holds up no other', async () => {
    const query = {
      ...adHoc('SELECT sleepEachRow({seconds:Float64}) AS slept FROM numbers(1)'),
      params: z.object({ seconds: z.number() }),
    };
    const done: string[] = [];
    const slow = fixture.store.query(query, { seconds: 1 }).then(() => done.push('slow'));
    await fixture.store.query(query, { seconds: 0 });
    done.push('quick');
    await slow;
    expect(done).toEqual(['quick', 'slow']);
  });

  test('a list of a hundred thousand ids is a value like any other, in reads and streams', async () => {
    const query = {
      ...adHoc('SELECT toFloat64(count()) AS n FROM numbers(200000) WHERE number IN {ids:Array(UInt64)}'),
      params: z.object({ ids: z.string() }),
      row: z.object({ n: z.number() }),
    };
    const ids = `[${Array.from({ length: 100_000 }, (_, i) => i * 2).join()}]`;
    expect(await fixture.store.query(query, { ids })).toEqual([{ n: 100_000 }]);
    expect(await Array.fromAsync(fixture.store.stream(query, { ids }))).toEqual([{ n: 100_000 }]);
  });

  test('a row of another shape is refused with its column', async () => {
    const query = { ...adHoc("SELECT 'x' AS n"), row: z.object({ n: z.number() }) };
    await expect(fixture.store.query(query, {})).rejects.toMatchObject({ code: 'store.row_invalid', field: 'n' });
  });

  test('errors carry codes: wrong SQL, time limit, memory limit', async () => {
    await expect(rowsOf(fixture.store, 'SELECT nothing')).rejects.toMatchObject({
      code: 'store.query_failed',
      retryable: false,
    });
    const slow = adHoc('SELECT sum(sleepEachRow(0.1)) FROM numbers(50) SETTINGS max_block_size = 1');
    await expect(fixture.store.query(slow, {}, { timeoutSeconds: 1 })).rejects.toMatchObject({
      code: 'store.timeout',
      retryable: true,
    });
    const large = adHoc('SELECT length(groupArray(number)) FROM numbers(50000000)');
    await expect(fixture.store.query(large, {}, { maxMemoryBytes: 20_000_000 })).rejects.toMatchObject({
      code: 'store.unavailable',
      retryable: true,
    });
    const stream = fixture.store.stream(adHoc('SELECT throwIf(number = 30000) FROM numbers(100000)'), {});
    await expect(Array.fromAsync(stream)).rejects.toMatchObject({ code: 'store.query_failed' });
    expect(await rowsOf(fixture.store, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  test('a stream of a million rows leaves the event loop free', async () => {
    let rows = 0;
    let rowsAtTurn = 0;
    let mostBetweenTurns = 0;
    let streaming = true;
    // Counted in rows, not in time, so that a busy machine changes nothing.
    const turn = () => {
      mostBetweenTurns = Math.max(mostBetweenTurns, rows - rowsAtTurn);
      rowsAtTurn = rows;
      if (streaming) setImmediate(turn);
    };
    turn();
    for await (const _ of fixture.store.stream(adHoc('SELECT number, toString(number) AS s FROM numbers(1000000)'), {}))
      rows++;
    streaming = false;
    expect(rows).toBe(1_000_000);
    expect(mostBetweenTurns).toBeLessThan(150_000);
  });

  test('more streams than connections wait for each other and do not starve queries', async () => {
    const count = async () => {
      let rows = 0;
      for await (const _ of fixture.store.stream(adHoc('SELECT number FROM numbers(20000)'), {})) rows++;
      return rows;
    };
    const all = await Promise.all([count(), count(), count(), count(), rowsOf(fixture.store, 'SELECT 1 AS n')]);
    expect(all).toEqual([20_000, 20_000, 20_000, 20_000, [{ n: 1 }]]);
  });
});

describe('a database of its own', () => {
  test('has the same schema, keeps its rows apart, and goes with everything in it', async () => {
    const other = fixture.store.inDatabase('shadow_1');
    await other.start();
    await other.insert(samples(77, 1000, 2), 'shadow');
    await other.insert(samples(77, 1000, 2), 'shadow');
    expect(await rowsOf(other, 'SELECT count() AS n, currentDatabase() AS d FROM samples')).toEqual([
      { n: '1000', d: 'shadow_1' },
    ]);
    expect(await Array.fromAsync(other.stream(adHoc('SELECT count() AS n FROM samples'), {}))).toEqual([{ n: '1000' }]);
    expect(await plainCount(77)).toBe(0);
    await fixture.store.insert(
      {
        table: 'log_records',
        rows: 1,
        columns: [{ name: 'tenant', type: 'UInt32', values: new Uint32Array([77]) }],
      },
      'one',
    );
    expect(await rowsOf(other, 'SELECT count() AS n FROM otel_logs')).toEqual([{ n: '0' }]);
    const tables = (database: string) =>
      rowsOf(fixture.store, `SELECT name FROM system.tables WHERE database = '${database}' ORDER BY name`);
    expect(await tables('shadow_1')).toEqual(await tables('default'));
    const keys = { table: 'keys', rows: 1, columns: [{ name: 't', type: 'UInt32', values: new Uint32Array([77]) }] };
    const byKeys = adHoc('SELECT count() AS n FROM samples WHERE tenant IN (SELECT t FROM keys)');
    expect(await other.query(byKeys, {}, { keys })).toEqual([{ n: '1000' }]);
    await other.stop();
    await expect(rowsOf(other, 'SELECT 1')).rejects.toMatchObject({ code: 'store.unavailable' });
    await fixture.reopen();
    const again = fixture.store.inDatabase('shadow_1');
    await again.start();
    expect(await rowsOf(again, 'SELECT count() AS n FROM samples')).toEqual([{ n: '1000' }]);
    await again.dropDatabase();
    await again.dropDatabase();
    expect(await tables('shadow_1')).toEqual([]);
    expect(await rowsOf(fixture.store, 'SELECT currentDatabase() AS d')).toEqual([{ d: 'default' }]);
  });

  test('is refused under a name of the engine, and one that is no name', () => {
    for (const name of ['default', 'system', 'information_schema', 'A', '1a', 'a-b', 'a`b', '', 'a'.repeat(42)]) {
      expect(() => fixture.store.inDatabase(name), name).toThrow(/database/);
    }
  });
});

describe('migrations', () => {
  const shape = (database: string) =>
    rowsOf(
      fixture.store,
      `SELECT name, replaceAll(create_table_query, '${database}.', '') AS created FROM system.tables WHERE database = '${database}' AND name != 'schema_migrations' ORDER BY name`,
    );

  test('migrations from empty give the desired schema', async () => {
    const migrated = await shape('default');
    await fixture.store.execute('CREATE DATABASE desired ENGINE = Atomic');
    const folder = new URL('./schema/', import.meta.url);
    for (const file of readdirSync(folder)
      .filter((name) => name.endsWith('.sql'))
      .sort()) {
      for (const statement of statements(readFileSync(new URL(file, folder), 'utf8'))) {
        const placed = statement.replaceAll(/(CREATE (?:TABLE|VIEW) |FROM )(\w+)/g, '$1desired.$2');
        await fixture.store.execute(placed);
      }
    }
    expect(migrated.length).toBeGreaterThan(15);
    expect(await shape('desired')).toEqual(migrated);
  });

  test('each can be run again over what all of them made: a power cut may take the note that it was', async () => {
    const migrated = await shape('default');
    await fixture.store.execute(
      `INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version) SELECT 1, 'm', '', toDateTime(900 * number, 'UTC'), 1, 0, 1, 0, 1 FROM numbers(100)`,
    );
    for (const { sql } of readMigrations()) {
      for (const statement of statements(sql)) await fixture.store.execute(statement);
    }
    expect(await shape('default')).toEqual(migrated);
    expect(await rowsOf(fixture.store, 'SELECT toUInt32(count()) AS facts FROM billing_facts')).toEqual([
      { facts: 100 },
    ]);
  });

  test('samples and conflicts of before stand after the change of their tables, wherever it was interrupted', async () => {
    const ranked = readMigrations().find(({ name }) => name === '0008_late_copies');
    const steps = statements(ranked?.sql ?? '');
    expect(steps).toHaveLength(8);
    const before = readMigrations().slice(0, 7);
    for (const done of [0, 2, 4, 5, 6, 7, steps.length]) {
      for (const table of ['samples', 'samples_ranked', 'samples_unranked', 'usage_conflicts']) {
        await fixture.store.execute(`DROP TABLE IF EXISTS ${table} SYNC`);
      }
      const [samples, , conflicts] = ['samples', '', 'usage_conflicts'].map((table) =>
        before
          .flatMap(({ sql }) => statements(sql))
          .find((statement) => statement.includes(`CREATE TABLE IF NOT EXISTS ${table} (`)),
      );
      await fixture.store.execute(samples ?? '');
      await fixture.store.execute(conflicts ?? '');
      await fixture.store.execute(
        `INSERT INTO samples SELECT 1, number, toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + toIntervalHour(number), 1, toDateTime64(0, 3, 'UTC'), now(), 4 * (number % 2), 400 FROM numbers(100)`,
      );
      await fixture.store.execute(`INSERT INTO usage_conflicts SELECT 1, 's', 'i', now64(3), '{}', 0, 7`);
      for (const step of steps.slice(0, done)) await fixture.store.execute(step);
      for (const step of steps) await fixture.store.execute(step);
      expect(await rowsOf(fixture.store, 'SELECT count() AS n, sum(on_time) AS on_time FROM samples FINAL')).toEqual([
        { n: '100', on_time: '50' },
      ]);
      expect(await rowsOf(fixture.store, 'SELECT offset, position FROM usage_conflicts')).toEqual([
        { offset: '7', position: 0 },
      ]);
    }
  });

  test('applying again does nothing, a changed file and a newer version are refused', async () => {
    const known = readMigrations();
    const clock = fixedClock(0);
    expect(await applyMigrations(fixture.store, known, clock)).toEqual([]);
    const changed = known.map((migration) => ({ ...migration, checksum: 'other' }));
    await expect(applyMigrations(fixture.store, changed, clock)).rejects.toMatchObject({
      code: 'store.migration_changed',
    });
    const next = { version: known.length + 1, name: 'next', sql: 'SELECT 1', checksum: 'c' };
    expect(await applyMigrations(fixture.store, [...known, next], clock)).toEqual([next]);
    await expect(fixture.reopen()).rejects.toMatchObject({ code: 'store.newer_version' });
  });
});
