import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { Decimal } from 'streams/contract';
import type { CounterPoint } from 'streams/otlp';
import { createChdbStore, type Store } from 'streams/store';
import { copyEmptyStore } from 'streams/store/test-store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClickHouseMeteringStore } from './clickhouse-metering-store.ts';
import { createClickHouseUsageReader } from './clickhouse-usage-reader.ts';
import { counterFacts } from './facts.ts';
import { runMetering } from './metering-job.ts';

const start = Date.parse('2026-11-01T00:00:00Z');
const period = { startMs: start, endMs: start + 30 * 86_400_000 };
const metric = 'dotmac.network.interface.io';
let dir: string;
let store: Store;
let offset = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulse-counters-'));
  await copyEmptyStore(dir);
  const logger = pino({ level: 'silent' });
  store = createChdbStore({ dir, memoryBytes: 600e6, connections: 2, logger, clock: { now: () => 0 } });
  await store.start();
});
afterAll(async () => {
  await store.stop();
  await rm(dir, { recursive: true, force: true });
});

interface Sent extends CounterPoint {
  readonly series: number;
  readonly flags?: number;
}

async function defineSeries(tenant: number, count: number, temporality: (series: number) => string) {
  const rows = Array.from({ length: count }, (_, series) => [series, temporality(series), `if${series}`]);
  await store.execute(
    `INSERT INTO series (tenant, metric, series, kind, temporality, monotonic, attributes)
     SELECT {tenant:UInt32}, {metric:String}, r.1, 'sum', r.2, true, map('interface', r.3, 'resource.host', 'a')
     FROM (SELECT arrayJoin(JSONExtract({rows:String}, 'Array(Tuple(UInt64, String, String))')) AS r)`,
    { tenant, metric, rows: JSON.stringify(rows) },
  );
}

async function send(tenant: number, points: readonly Sent[]) {
  offset += 1;
  const hours = [...new Set(points.map(({ timeMs }) => Math.floor(timeMs / 3_600_000) * 3600))];
  await store.execute(
    `INSERT INTO touched (token, signal, tenant, bucket, seq, partition)
     SELECT {token:String}, 'metrics', {tenant:UInt32}, toDateTime(h, 'UTC'), {seq:UInt64}, 0 FROM (SELECT arrayJoin(JSONExtract({hours:String}, 'Array(UInt32)')) AS h)`,
    { token: `t-${offset}`, tenant, seq: offset, hours: JSON.stringify(hours) },
  );
  await store.execute(
    `INSERT INTO samples (tenant, series, time, value, start, flags, retention_days)
     SELECT {tenant:UInt32}, r.1, fromUnixTimestamp64Milli(r.2, 'UTC'), r.3, fromUnixTimestamp64Milli(r.4, 'UTC'), r.5, 400
     FROM (SELECT arrayJoin(JSONExtract({rows:String}, 'Array(Tuple(UInt64, Int64, Float64, Int64, UInt8))')) AS r)`,
    { tenant, rows: JSON.stringify(points.map((p) => [p.series, p.timeMs, p.value, p.startMs, p.flags ?? 0])) },
  );
}

const meter = () =>
  runMetering({
    store: createClickHouseMeteringStore(store),
    storedPositions: async () => [{ partition: 0, next: offset + 1 }],
    now: () => 1_795_000_000_000,
    chunkHours: 1000,
  });
const range = (tenant: number) => ({ tenant, ...period, knownAt: [{ partition: 0, next: offset + 1 }] });
async function factsOf(tenant: number) {
  const { rows } = await createClickHouseUsageReader(store).facts(range(tenant), 'network_bytes', {
    skip: 0,
    limit: 10_000,
  });
  return rows.map(
    (row) => `${row.subject} ${row.bucket} ${row.value.toString()} ${row.seconds.toString()} ${row.events}`,
  );
}
const totalOf = async (tenant: number) => {
  const total = (await createClickHouseUsageReader(store).totals(range(tenant))).get('network_bytes');
  return total?.value.toString() ?? '0';
};

const anyCounter = fc
  .array(
    fc.record({
      ms: fc.oneof(
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 6_000_000 }),
      ),
      value: fc.oneof(
        fc.nat(20),
        fc.nat(2 ** 53 - 1),
        fc.nat(10_000).map((n) => n / 1000),
      ),
      start: fc.constantFrom('none', 'first', 'first', 'second', 'now', 'before'),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((list) => {
    let timeMs = start + 3_000_000;
    return list.map(({ ms, value, start: named }): CounterPoint => {
      const before = timeMs;
      timeMs += ms;
      const starts = { none: 0, first: start + 2_900_000, second: start + 5_000_000, now: timeMs, before };
      return { timeMs, value, startMs: starts[named] };
    });
  });

test('the engine agrees with the rule in plain code, whatever the counters, their order, repeats and batches', async () => {
  const tenant = 1;
  const counters = fc.sample(anyCounter, { numRuns: 120, seed: 11 });
  const temporality = (series: number) => (series % 5 === 0 ? 'delta' : 'cumulative');
  await defineSeries(tenant, counters.length, temporality);
  const sent = counters.flatMap((points, series) => points.map((point): Sent => ({ ...point, series })));
  const mixed = sent.toSorted((a, b) => ((a.timeMs * 31) % 7919) - ((b.timeMs * 31) % 7919));
  const cuts = [mixed.slice(300), mixed.slice(0, 100), [...mixed.slice(0, 300), ...mixed.slice(400, 500)]];
  for (const batch of cuts) {
    await send(tenant, batch);
    await meter();
  }
  const expected = counters.flatMap((points, series) =>
    [...counterFacts(points, temporality(series) === 'delta' ? 'delta' : 'cumulative')]
      .filter(([, fact]) => !fact.value.isZero() || !fact.seconds.isZero() || fact.events > 0)
      .map(([bucket, fact]) => {
        const at = new Date(bucket * 1000).toISOString().replace('.000Z', 'Z');
        return `interface=if${series} ${at} ${fact.value.toString()} ${fact.seconds.toString()} ${fact.events}`;
      }),
  );
  expect(expected.length).toBeGreaterThan(200);
  expect((await factsOf(tenant)).toSorted()).toEqual(expected.toSorted());
});

const at = (seconds: number, value: number, startSeconds = 0, flags = 0): Sent => ({
  series: 0,
  timeMs: start + seconds * 1000,
  value,
  startMs: startSeconds === 0 ? 0 : start + startSeconds * 1000,
  flags,
});

test('resent points change nothing, late points are never billed, a point that fills a gap moves growth and adds none', async () => {
  const tenant = 2;
  await defineSeries(tenant, 1, () => 'cumulative');
  const first = [at(100, 1000, 50), at(400, 4000, 50), at(3700, 9000, 50)];
  await send(tenant, first);
  await meter();
  expect(await totalOf(tenant)).toBe('9000');
  const facts = await factsOf(tenant);
  for (let resend = 0; resend < 5; resend += 1) await send(tenant, first);
  await meter();
  expect(await factsOf(tenant)).toEqual(facts);
  await send(tenant, [at(500, 400_000, 50, 4), at(3800, 500_000, 50, 4)]);
  await meter();
  expect(await factsOf(tenant)).toEqual(facts);
  await send(tenant, [at(1000, 6000, 50)]);
  await meter();
  expect(await totalOf(tenant)).toBe('9000');
  expect((await factsOf(tenant)).map((row) => row.split(' ').slice(1, 3).join(' '))).toEqual([
    '2026-11-01T00:00:00Z 4000',
    '2026-11-01T00:15:00Z 2000',
    '2026-11-01T01:00:00Z 3000',
  ]);
});

test('late samples of a level are not billed either', async () => {
  const tenant = 3;
  await store.execute(
    `INSERT INTO series (tenant, metric, series, kind) SELECT {tenant:UInt32}, 'dotmac.customers.active', 0, 'gauge'`,
    { tenant },
  );
  await send(tenant, [at(0, 10), at(300, 500, 0, 4)]);
  await meter();
  const total = (await createClickHouseUsageReader(store).totals(range(tenant))).get('active_customers');
  expect([total?.value.equals(Decimal.parse('9000')), total?.events]).toEqual([true, 1]);
});
