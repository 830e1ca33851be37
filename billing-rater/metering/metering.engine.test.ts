import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { Decimal } from 'streams/contract';
import { createChdbStore, defineQuery, type Store } from 'streams/store';
import { copyEmptyStore } from 'streams/store/test-store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createClickHouseMeteringStore } from './clickhouse-metering-store.ts';
import { createClickHouseUsageReader } from './clickhouse-usage-reader.ts';
import { type MeteredSample, timeWeightedFacts } from './facts.ts';
import type { Position } from './known-at.ts';
import { runMetering } from './metering-job.ts';
import { addFacts } from './quantity.ts';

/** 2026-11-01T00:00Z. */
const start = 1_793_491_200;
const month = { startMs: start * 1000, endMs: (start + 30 * 86_400) * 1000 };
let dir: string;
let store: Store;
let tenant = 100;
let offset = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulse-metering-'));
  await copyEmptyStore(dir);
  store = createChdbStore({
    dir,
    memoryBytes: 600e6,
    connections: 2,
    logger: pino({ level: 'silent' }),
    clock: { now: () => 0 },
  });
  await store.start();
});
afterAll(async () => {
  await store.stop();
  await rm(dir, { recursive: true, force: true });
});

const hourOf = (second: number) => Math.floor(second / 3600) * 3600;

/** What the telemetry consumer leaves behind for one batch: the ledger row first, then the rows. */
async function touch(signal: string, seconds: readonly number[]): Promise<number> {
  offset += 1;
  for (const hour of new Set(seconds.map(hourOf))) {
    await store.execute(
      `INSERT INTO touched (token, signal, tenant, bucket, seq, partition) SELECT {token:String}, {signal:String}, {tenant:UInt32}, toDateTime({hour:UInt32}, 'UTC'), {seq:UInt64}, 0`,
      { token: `t-${offset}-${hour}`, signal, tenant, hour, seq: offset },
    );
  }
  return offset;
}

interface TestEvent {
  readonly id: string;
  readonly second: number;
  readonly value: string;
}
async function storeEvents(events: readonly TestEvent[], type = 'api_calls'): Promise<void> {
  const seq = await touch(
    'events',
    events.map((event) => event.second),
  );
  for (const event of events) {
    await store.execute(
      `INSERT INTO usage_events (tenant, type, source, id, subject, time, received, value, partition, offset)
       SELECT {tenant:UInt32}, {type:String}, '/isp', {id:String}, 'c1', toDateTime64({second:UInt32}, 3, 'UTC'), now64(3), toDecimal128({value:String}, 12), 0, {seq:UInt64}`,
      { tenant, type, seq, ...event },
    );
  }
}

async function defineSeries(series: number, metric: string, attributes: string): Promise<void> {
  await store.execute(
    `INSERT INTO series (tenant, metric, series, kind, attributes) SELECT {tenant:UInt32}, {metric:String}, {series:UInt64}, 'gauge', JSONExtract({attributes:String}, 'Map(LowCardinality(String), String)')`,
    { tenant, metric, series, attributes },
  );
}
interface TestSample {
  readonly series: number;
  readonly ms: number;
  readonly value: number;
  readonly flags?: number;
}
async function storeSamples(samples: readonly TestSample[]): Promise<void> {
  await touch(
    'metrics',
    samples.map((sample) => Math.floor(sample.ms / 1000)),
  );
  const rows = samples.map(({ series, ms, value, flags }) => [series, ms, String(value), flags ?? 0]);
  await store.execute(
    `INSERT INTO samples (tenant, series, time, value, flags, retention_days)
     SELECT {tenant:UInt32}, r.1, fromUnixTimestamp64Milli(r.2, 'UTC'), toFloat64(r.3), r.4, 400
     FROM (SELECT arrayJoin(JSONExtract({rows:String}, 'Array(Tuple(UInt64, Int64, String, UInt8))')) AS r)`,
    { tenant, rows: JSON.stringify(rows) },
  );
}

const meter = (over: Partial<Parameters<typeof runMetering>[0]> = {}) =>
  runMetering({
    store: createClickHouseMeteringStore(store),
    storedPositions: async () => [{ partition: 0, next: offset + 1 }],
    now: () => 1_795_000_000_000,
    chunkHours: 7,
    ...over,
  });
const reader = () => createClickHouseUsageReader(store);
const range = (knownAt: readonly Position[] = [{ partition: 0, next: offset + 1 }]) => ({ tenant, ...month, knownAt });
const totalOf = async (key: string, knownAt?: readonly Position[]) => {
  const total = (await reader().totals(range(knownAt))).get(key);
  return total === undefined
    ? null
    : { value: total.value.toString(), seconds: total.seconds.toString(), events: total.events };
};
const factRows = async () => {
  const { rows } = await reader().facts(range(), 'api_calls', { skip: 0, limit: 1000 });
  return rows.map((row) => `${row.bucket} ${row.value.toString()} v${row.version}`);
};

const factVersions = defineQuery({
  file: new URL('./testing/fact-versions.sql', import.meta.url),
  params: z.object({ tenant: z.number(), meter: z.string() }),
  row: z.object({ bucket: z.string(), versions: z.string() }),
});

describe('metering on the engine', () => {
  test('an hour that is metered again appends only the quarters that changed', async () => {
    tenant += 1;
    await defineSeries(1, 'dotmac.customers.active', '{}');
    for (const minute of [0, 20, 40]) {
      await storeSamples([{ series: 1, ms: (start + minute * 60) * 1000, value: 100 }]);
      await meter();
    }
    const versions = (await store.query(factVersions, { tenant, meter: 'active_customers' })).map(
      ({ bucket, versions }) => `${bucket} ${versions}`,
    );
    // The sample of minute 20 changes the quarters at 15 and 30, that of minute 40 the quarters at 30 and 45.
    expect(versions.slice(0, 4)).toEqual(['00:00 1', '00:15 2', '00:30 3', '00:45 2']);
  });

  test('events become exact facts, a second run adds nothing, a late event is in the hour it happened in', async () => {
    tenant += 1;
    await storeEvents([
      { id: 'a', second: start + 5, value: '0.1' },
      { id: 'b', second: start + 6, value: '0.2' },
      { id: 'c', second: start + 899, value: '9007199254740993' },
      { id: 'd', second: start + 900, value: '1' },
    ]);
    expect((await meter()).hours).toBe(1);
    const first = await factRows();
    expect(first).toEqual([`2026-11-01T00:00:00Z 9007199254740993.3 v${offset}`, `2026-11-01T00:15:00Z 1 v${offset}`]);
    expect((await meter()).hours).toBe(0);
    expect(await factRows()).toEqual(first);

    const known = [{ partition: 0, next: offset + 1 }];
    await storeEvents([{ id: 'late', second: start + 10, value: '5' }]);
    await storeEvents([{ id: 'a', second: start + 5, value: '0.1' }]);
    expect((await meter()).hours).toBe(1);
    expect(await totalOf('api_calls')).toMatchObject({ value: '9007199254740999.3', events: 5 });
    // what was known before the late event stays readable
    expect(await totalOf('api_calls', known)).toMatchObject({ value: '9007199254740994.3', events: 4 });
  });

  test('a batch that is not committed yet is left to the next run', async () => {
    tenant += 1;
    const committed = offset + 1;
    await storeEvents([{ id: 'a', second: start, value: '7' }]);
    await meter({ storedPositions: async () => [{ partition: 0, next: committed }] });
    expect(await totalOf('api_calls')).toBeNull();
    await meter();
    expect(await totalOf('api_calls')).toMatchObject({ value: '7' });
  });

  test('an event of the batch that is being stored is in no fact of a run that reads up to it', async () => {
    tenant += 1;
    await storeEvents([{ id: 'a', second: start, value: '7' }]);
    const positions = [{ partition: 0, next: offset + 1 }];
    await storeEvents([{ id: 'b', second: start + 1, value: '5' }]);
    await meter({ storedPositions: async () => positions });
    expect(await totalOf('api_calls', positions)).toMatchObject({ value: '7', events: 1 });
    await meter();
    expect(await totalOf('api_calls', positions)).toMatchObject({ value: '7', events: 1 });
    expect(await totalOf('api_calls')).toMatchObject({ value: '12', events: 2 });
  });

  test('a late copy of a billed sample takes nothing out of the bill and brings nothing in', async () => {
    tenant += 1;
    await defineSeries(1, 'dotmac.customers.active', '{}');
    const sample = { series: 1, ms: start * 1000, value: 100 };
    await storeSamples([sample]);
    await meter();
    const billed = await totalOf('active_customers');
    expect(billed).toEqual({ value: '90000', seconds: '900', events: 1 });
    for (const value of [100, 900]) {
      await storeSamples([{ ...sample, value, flags: 4 }]);
      await meter();
      expect(await totalOf('active_customers')).toEqual(billed);
    }
  });

  test('a run that stops half-way is finished by the next one', async () => {
    tenant += 1;
    for (let hour = 0; hour < 20; hour += 1) {
      await storeEvents([{ id: `h${hour}`, second: start + hour * 3600, value: '1' }]);
    }
    const real = createClickHouseMeteringStore(store);
    let writes = 0;
    const failing = {
      ...real,
      writeFacts: async (...work: Parameters<typeof real.writeFacts>) => {
        writes += 1;
        if (writes === 2) throw new Error('killed');
        await real.writeFacts(...work);
      },
    };
    await expect(meter({ store: failing })).rejects.toThrow('killed');
    expect(await meter()).toEqual({ hours: 13 });
    expect(await totalOf('api_calls')).toMatchObject({ value: '20', events: 20 });
  });

  test('a run that stood still while another was completed changes no fact and takes no position back, whatever its clock says', async () => {
    tenant += 1;
    await defineSeries(7, 'dotmac.customers.active', '{}');
    await storeSamples([{ series: 7, ms: start * 1000, value: 10 }]);
    await meter();
    await storeSamples([{ series: 7, ms: (start + 120) * 1000, value: 20 }]);
    const completeAt = offset + 1;
    const real = createClickHouseMeteringStore(store);
    const facts = async () => totalOf('active_customers', [{ partition: 0, next: completeAt }]);
    let before: unknown;
    const overtaken = {
      ...real,
      writeFacts: async (...work: Parameters<typeof real.writeFacts>) => {
        if (before === undefined) {
          // Here it stands still, the statement in hand; another process takes over and goes on.
          await meter();
          before = await facts();
          await storeSamples([{ series: 7, ms: (start + 60) * 1000, value: 1000 }]);
        }
        await real.writeFacts(...work);
      },
    };
    await meter({ store: overtaken, now: () => 1_999_000_000_000 });
    expect(before).toMatchObject({ events: expect.any(Number) });
    expect(await facts()).toEqual(before);
    expect((await real.completed()).positions).toEqual([{ partition: 0, next: completeAt }]);
    // The sample that came meanwhile is metered by the next run, from its own position on.
    await meter();
    expect(await facts()).toEqual(before);
    expect(await totalOf('active_customers')).not.toEqual(before);
    // A completion of before, however new its clock, changes nothing.
    const { positions } = await real.completed();
    await real.complete([{ partition: 0, next: 1 }], 2_000_000_000_000);
    expect((await real.completed()).positions).toEqual(positions);
  });

  test('values that add up beyond a stored decimal hold up their own tenant only', async () => {
    tenant += 1;
    const poisoned = tenant;
    const nines = '9'.repeat(26);
    await storeEvents([
      { id: 'a', second: start, value: nines },
      { id: 'b', second: start, value: nines },
    ]);
    tenant += 1;
    await storeEvents([{ id: 'a', second: start, value: '7' }]);
    const refused: number[] = [];
    await meter({ onRefused: (hour) => refused.push(hour.tenant) });
    expect(refused).toEqual([poisoned]);
    expect(await totalOf('api_calls')).toMatchObject({ value: '7' });
    tenant = poisoned;
    await expect(totalOf('api_calls')).rejects.toMatchObject({ code: 'billing.hour_refused' });
    // a correction that brings the sum back into range heals the hour in the next run
    await storeEvents([{ id: 'c', second: start, value: `-${nines}` }]);
    await meter();
    expect(await totalOf('api_calls')).toMatchObject({ value: nines });
    tenant += 1;
  });

  test('a value holds 15 minutes, into the next hour too, and a restarted container follows itself', async () => {
    tenant += 1;
    await defineSeries(1, 'dotmac.customers.active', '{"resource.service.instance.id":"a"}');
    await defineSeries(2, 'dotmac.customers.active', '{"resource.service.instance.id":"b"}');
    await storeSamples([{ series: 1, ms: (start + 3500) * 1000, value: 100 }]);
    await meter();
    // 100 from 00:58:20 on, 900 s
    expect(await totalOf('active_customers')).toEqual({ value: '90000', seconds: '900', events: 1 });
    // the new container takes over 400 s later: 100 × 400 + 120 × 900
    await storeSamples([{ series: 2, ms: (start + 3900) * 1000 + 999, value: 120 }]);
    await meter();
    expect(await totalOf('active_customers')).toEqual({ value: '148000', seconds: '1300', events: 2 });
  });

  test('the engine agrees with the rule in plain code, whatever the samples and their batches', async () => {
    const groups = ['', 'area=x', 'area=y'];
    const sample = fc.record({
      series: fc.integer({ min: 0, max: 2 }),
      ms: fc.integer({ min: 0, max: 4 * 3_600_000 - 1 }),
      value: fc.oneof(
        fc.integer({ min: 0, max: 2 ** 53 }),
        fc.integer({ min: 0, max: 10_000_000 }).map((n) => n / 1000),
        fc.constant(Number.NaN),
      ),
      flags: fc.constantFrom(0, 0, 0, 0, 1, 2, 4),
    });
    const scenario = fc.record({
      samples: fc.uniqueArray(sample, { minLength: 1, maxLength: 40, selector: ({ series, ms }) => `${series}/${ms}` }),
      cut: fc.nat(40),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ samples, cut }) => {
        tenant += 1;
        for (const [series, group] of groups.entries()) {
          await defineSeries(series, 'dotmac.storage.usage', group === '' ? '{}' : '{"area":"'.concat(group, '"}'));
        }
        const placed = samples.map((one) => ({ ...one, ms: start * 1000 + one.ms }));
        const batches = [placed.slice(cut), placed.slice(0, cut), placed.slice(0, 2)];
        for (const batch of batches.filter((one) => one.length > 0)) {
          await storeSamples(batch);
          await meter();
        }
        const expected = addFacts(
          timeWeightedFacts(
            placed
              .filter(({ flags }) => (flags & 4) === 0)
              .map(
                ({ series, ms, value, flags }): MeteredSample => ({
                  group: String(series),
                  timeMs: ms,
                  value: (flags & 3) !== 0 || Number.isNaN(value) ? null : Decimal.parse(String(value)),
                }),
              ),
          ).values(),
        );
        const total = await totalOf('storage_gb');
        expect(total).toEqual({
          value: expected.value.toString(),
          seconds: expected.seconds.toString(),
          events: expected.events,
        });
      }),
      { numRuns: 15 },
    );
  });

  test('evidence pages add up to the total, and raw events to their bucket', async () => {
    tenant += 1;
    await storeEvents(
      Array.from({ length: 12 }, (_, index) => ({
        id: `e${index}`,
        second: start + index * 300,
        value: `${index}.000000000001`,
      })),
    );
    await meter();
    const total = (await reader().totals(range())).get('api_calls');
    const pages = [];
    for (let skip = 0; skip < 6; skip += 2) {
      pages.push(...(await reader().facts(range(), 'api_calls', { skip, limit: 2 })).rows);
    }
    expect(addFacts(pages)).toEqual(total);
    expect(total?.value.toString()).toBe('66.000000000012');
    const bucket = { ...range(), endMs: month.startMs + 900_000 };
    const raw = await reader().events(bucket, 'api_calls', { skip: 0, limit: 10 });
    const sum = Decimal.sum(raw.rows.map((row) => Decimal.parse(String(row['value']))));
    expect(sum.toString()).toBe(pages[0]?.value.toString());
    const grouped = await reader().transactions(bucket, 'api_calls');
    expect(Decimal.sum(grouped.map(({ amount, count }) => amount.multiply(count))).equals(sum)).toBe(true);
  });
});
