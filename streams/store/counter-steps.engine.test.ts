import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Log } from '../log/port.ts';
import { type CounterPoint, counterSteps } from '../otlp/counter-steps.ts';
import { statements } from './migrations.ts';
import { createRollUpJob } from './roll-up-job.ts';
import { openStoreFixture, rowsOf, type StoreFixture, silentLogger } from './store-fixture.ts';

const begin = Date.UTC(2026, 10, 20);
const minute = 60_000;
const kindNumbers = ['step', 'started', 'reset', 'unknown_start', 'overlap'];

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

/** Counters that grow, fall, begin again, take turns and fall silent; few values, so that the branches of the rule meet. */
const anyCounter = fc
  .array(
    fc.record({
      seconds: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 400 })),
      value: fc.oneof(
        fc.nat(12),
        fc.nat(200).map((n) => n / 8),
      ),
      start: fc.constantFrom('none', 'none', 'first', 'first', 'first', 'second', 'now', 'before', 'after'),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((list) => {
    let timeMs = begin;
    let previous = begin;
    return list.map(({ seconds, value, start }): CounterPoint => {
      previous = timeMs;
      timeMs += seconds * 1000;
      const starts = {
        none: 0,
        first: begin - minute,
        second: begin + 90_000,
        now: timeMs,
        before: previous,
        after: timeMs + 5,
      };
      return { timeMs, value, startMs: starts[start] };
    });
  });

test('the function of the engine agrees with the rule in plain code', async () => {
  const counters = fc.sample(anyCounter, { numRuns: 400, seed: 4 });
  const since = begin - 30_000;
  const query = {
    name: 'steps',
    sql: `SELECT arrayMap(s -> (if(isNaN(s.1), '', toString(s.1)), s.2), counter_steps(
        arrayMap(p -> (p.1, toFloat64(p.2), if(p.3 > p.1, toInt64(0), p.3)), one), toInt64({since:Int64}))) AS steps
      FROM (SELECT arrayJoin(arrayZip(counters, arrayEnumerate(counters))) AS numbered, numbered.1 AS one, numbered.2 AS n
        FROM (SELECT JSONExtract({counters:String}, 'Array(Array(Tuple(Int64, Float64, Int64)))') AS counters))
      ORDER BY n`,
    params: z.object({ counters: z.string(), since: z.number() }),
    row: z.object({ steps: z.array(z.tuple([z.string(), z.number()])) }),
  };
  const rows = await fixture.store.query(query, {
    counters: JSON.stringify(counters.map((points) => points.map((p) => [p.timeMs, p.value, p.startMs]))),
    since,
  });
  const expected = counters.map((points) =>
    counterSteps(points, since).map(({ base, kind }) => [base === null ? '' : String(base), kindNumbers.indexOf(kind)]),
  );
  expect(rows.map(({ steps }) => steps)).toEqual(expected);
  const seen = new Set(expected.flat().map(([, kind]) => kind));
  expect([...seen].toSorted()).toEqual([0, 1, 2, 3, 4]);
});

test('the desired functions are the migrated ones', async () => {
  const created = () =>
    rowsOf(fixture.store, "SELECT create_query FROM system.functions WHERE name LIKE 'counter%' ORDER BY name");
  const migrated = await created();
  const desired = readFileSync(new URL('./schema/033_counter_steps.sql', import.meta.url), 'utf8');
  for (const statement of statements(desired)) await fixture.store.execute(statement);
  expect(migrated).toHaveLength(2);
  expect(await created()).toEqual(migrated);
});

let seq = 0;
/** Stores points of a series as the consumer does and touches their hours. */
async function storePoints(
  tenant: number,
  series: number,
  temporality: string,
  points: readonly CounterPoint[],
  flags = 0,
) {
  seq += 1;
  await fixture.store.execute(
    `INSERT INTO series (tenant, metric, series, kind, temporality, monotonic) SELECT {tenant:UInt32}, 'calls', {series:UInt64}, 'sum', {temporality:String}, true`,
    { tenant, series, temporality },
  );
  await fixture.store.execute(
    `INSERT INTO samples (tenant, series, time, value, start, flags, retention_days)
     SELECT {tenant:UInt32}, {series:UInt64}, fromUnixTimestamp64Milli(r.1, 'UTC'), r.2, fromUnixTimestamp64Milli(r.3, 'UTC'), {flags:UInt8}, 400
     FROM (SELECT arrayJoin(JSONExtract({rows:String}, 'Array(Tuple(Int64, Float64, Int64))')) AS r)`,
    { tenant, series, flags, rows: JSON.stringify(points.map((p) => [p.timeMs, p.value, p.startMs])) },
  );
  for (const hour of new Set(points.map((p) => Math.floor(p.timeMs / 3_600_000) * 3600))) {
    await fixture.store.execute(
      `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, seq, partition) SELECT {token:String}, 'metrics', {tenant:UInt32}, toDateTime({hour:UInt32}, 'UTC'), 1, 1, {seq:UInt64}, 0`,
      { token: `t-${seq}-${hour}`, tenant, hour, seq },
    );
  }
}
const roll = () => {
  const log = { committed: async () => [{ partition: 0, next: seq + 1 }] } as unknown as Log;
  return createRollUpJob({ store: fixture.store, log, logger: silentLogger, lag: async () => 0 }).runOnce();
};
const usage = async (tenant: number) =>
  Number(
    (await rowsOf(fixture.store, `SELECT sum(increase) AS n FROM usage_hour FINAL WHERE tenant = ${tenant}`))[0]?.['n'],
  );
const flagsOf = async (tenant: number) =>
  (
    await rowsOf(
      fixture.store,
      `SELECT sum(resets) AS resets, sum(unknown_starts) AS unknown, sum(gaps) AS gaps, sum(gap_seconds) AS gapSeconds, sum(overlaps) AS overlaps, sum(late) AS late FROM series_hour FINAL WHERE tenant = ${tenant}`,
    )
  ).map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])))[0];

test('roll-ups tell resets, unknown starts, gaps, overlaps and late points apart, and never count a second writer', async () => {
  const line = (...list: readonly (readonly [number, number, number?])[]): CounterPoint[] =>
    list.map(([m, value, start]) => ({
      timeMs: begin + m * minute,
      value,
      startMs: start === undefined ? 0 : begin + start * minute,
    }));
  // A known start inside the day counts from zero; a reset exactly on the edge of the hour by its start alone.
  await storePoints(1, 1, 'cumulative', line([50, 10, 40], [59, 30, 40], [60.5, 35, 60], [70, 40, 60]));
  // An unknown start counts nothing before itself; a gap of 20 minutes grows all the same.
  await storePoints(2, 1, 'cumulative', line([1, 100], [2, 110], [22, 150]));
  // Two writers, interleaved over the edge of the hour.
  await storePoints(
    3,
    1,
    'cumulative',
    line([57, 100], [58, 5], [59, 101], [59.5, 6], [60, 102], [60.5, 7], [61, 103], [61.5, 8]),
  );
  // Delta points are added up, the second of an overlapping pair is flagged.
  await storePoints(4, 1, 'delta', line([1, 5, 0], [2, 7, 1], [3, 2, 1.5]));
  // Late points stand in the roll-up and are counted as such.
  await storePoints(5, 1, 'cumulative', line([1, 1, 0], [2, 4, 0]), 4);
  await roll();
  expect([await usage(1), await usage(2), await usage(4), await usage(5)]).toEqual([70, 50, 14, 4]);
  expect(await usage(3)).toBeLessThanOrEqual(6);
  expect(await flagsOf(1)).toEqual({ resets: 0, unknown: 0, gaps: 2, gapSeconds: 9 * 60 + 570, overlaps: 0, late: 0 });
  expect(await flagsOf(2)).toEqual({ resets: 0, unknown: 0, gaps: 1, gapSeconds: 1200, overlaps: 0, late: 0 });
  expect((await flagsOf(3))?.['overlaps']).toBeGreaterThan(0);
  expect(await flagsOf(4)).toEqual({ resets: 0, unknown: 0, gaps: 0, gapSeconds: 0, overlaps: 1, late: 0 });
  expect(await flagsOf(5)).toMatchObject({ late: 2 });
});

test('any order, repeats and batching of points roll up to the same', async () => {
  // Over the edge of an hour, all in one batch first.
  const counters = fc
    .sample(anyCounter, { numRuns: 6, seed: 7 })
    .map((points) => points.map((point) => ({ ...point, timeMs: point.timeMs + 50 * minute })));
  const shuffled = (points: readonly CounterPoint[], salt: number) =>
    points.toSorted((a, b) => ((a.timeMs * salt) % 7919) - ((b.timeMs * salt) % 7919));
  for (const [series, points] of counters.entries()) await storePoints(10, series, 'cumulative', points);
  await roll();
  for (const [series, points] of counters.entries()) {
    const mixed = shuffled([...points, ...points.slice(0, 5)], 31);
    await storePoints(11, series, 'cumulative', mixed.slice(0, 4));
    if (series % 4 === 0) await roll();
    if (mixed.length > 4) await storePoints(11, series, 'cumulative', mixed.slice(4));
  }
  await roll();
  const rows = (tenant: number) =>
    rowsOf(
      fixture.store,
      `SELECT * EXCEPT (tenant, version) FROM series_hour FINAL WHERE tenant = ${tenant} ORDER BY series, bucket`,
    );
  expect((await rows(10)).length).toBeGreaterThan(counters.length);
  expect(await rows(11)).toEqual(await rows(10));
  expect(await usage(11)).toBe(await usage(10));
});
