import type { Log, LogMessage } from 'streams/log';
import type { Store } from 'streams/store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFleet } from './fleet/fleet-reader.ts';
import { readForecast } from './forecast/forecast-reader.ts';
import { defaultScalingPolicy } from './scaling/policy.ts';
import { createScalingJob } from './scaling/scaling-job.ts';
import { createSlaJob } from './sla/sla-job.ts';
import { readSla, readSlaSummaries } from './sla/sla-reader.ts';
import { addHistograms, addSamples, addSeries, openEngine, seriesId, tenantRecord } from './testing/engine-fixture.ts';

const t0 = Date.UTC(2026, 10, 2);
const iso = (ms: number): string => new Date(ms).toISOString();
let store: Store;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ store, close } = await openEngine());
});
afterAll(() => close());

describe('service level', () => {
  const tenant = tenantRecord(7);
  let offset = 100;
  const slaJob = () =>
    createSlaJob({
      store,
      log: { committed: async () => [{ partition: 0, next: offset }] },
      elapsedMs: () => performance.now(),
    });
  let job: ReturnType<typeof slaJob>;
  beforeAll(() => {
    job = slaJob();
  });
  /** Hands over the hours of a stretch as a committed batch. */
  const touch = async (number: number, fromMs: number, hours: number): Promise<void> => {
    await store.execute(
      `INSERT INTO touched (token, signal, tenant, bucket, seq, at) SELECT 'b${offset}', 'metrics', ${number}, toDateTime(${fromMs / 1000}, 'UTC') + number * 3600, ${offset}, toDateTime64(${fromMs / 1000}, 3, 'UTC') FROM numbers(${hours})`,
    );
    offset++;
  };
  const [up, down] = [seriesId(5, 1), seriesId(5, 2)];
  test('60 one-minute checks with 3 down are 57/60, in any order and sent twice; gaps above 5 minutes are unmeasured', async () => {
    for (const [series, status] of [
      [up, 'up'],
      [down, 'down'],
    ] as const) {
      await addSeries(store, {
        tenant: 7,
        metric: 'dotmac.health.status',
        series,
        kind: 'gauge',
        attributes: { component: 'db', status },
      });
    }
    const isDown = (i: number): boolean => [10, 20, 59].includes(i);
    const all = Array.from({ length: 60 }, (_, i) => i).reverse();
    for (const indices of [all, all.slice(5, 20)]) {
      const points = (wanted: boolean) =>
        indices
          .filter((i) => isDown(i) === wanted)
          .map((i): [number, number] => [t0 + i * 60_000 + 5_000, wanted ? 0 : 1]);
      await addSamples(store, 7, up, points(false));
      if (points(true).length > 0) await addSamples(store, 7, down, points(true));
    }
    await addSamples(store, 7, up, [
      [t0 + 120.5 * 60_000, 1],
      [t0 + 125.5 * 60_000, 1],
      [t0 + 131 * 60_000, 1],
    ]);
    const before = await readSla(store, [{ tenant, period: '2026-11' }], t0 + 3_600_000);
    expect(before).toMatchObject([{ attainment: null, measuredSeconds: 0, badSeconds: 0 }]);
    await touch(7, t0, 3);
    expect(await job.run()).toEqual({ computed: 3, waiting: 0 });
    expect(await job.run()).toEqual({ computed: 0, waiting: 0 });
    const [first] = await readSla(store, [{ tenant, period: '2026-11' }], t0 + 3_600_000);
    expect(first).toMatchObject({
      attainment: 57 / 60,
      measuredSeconds: 3600,
      badSeconds: 180,
      unmeasuredSeconds: 86_400,
    });
    const [later] = await readSla(store, [{ tenant, period: '2026-11' }], t0 + 24 * 3_600_000);
    expect(later).toMatchObject({ measuredSeconds: 3600 + 7 * 60, badSeconds: 180 });
  });

  test('requests that fail beyond the limit make measured minutes bad', async () => {
    const [ok, bad] = [seriesId(6, 1), seriesId(6, 2)];
    const histogram = {
      tenant: 7,
      metric: 'http.server.request.duration',
      kind: 'histogram',
      temporality: 'cumulative',
    };
    await addSeries(store, { ...histogram, series: ok, attributes: { 'http.response.status_code': '200' } });
    await addSeries(store, { ...histogram, series: bad, attributes: { 'http.response.status_code': '503' } });
    const counts = [
      [0, 1000, 0],
      [5, 2000, 0],
      [10, 2800, 200],
      [15, 3800, 200],
    ] as const;
    await addHistograms(
      store,
      7,
      ok,
      counts.map(([m, count]) => ({ ms: t0 + m * 60_000, count })),
    );
    await addHistograms(
      store,
      7,
      bad,
      counts.map(([m, , count]) => ({ ms: t0 + m * 60_000, count })),
    );
    await touch(7, t0, 1);
    await job.run();
    const [report] = await readSla(store, [{ tenant, period: '2026-11' }], t0 + 3_600_000);
    // Minutes 6 to 10 fail; minute 10 was bad already.
    expect(report?.badSeconds).toBe(180 + 4 * 60);
  });

  test('hours in any order, a late point at an edge and a restart give the masks of one reading; another zone counts its own month', async () => {
    const late = tenantRecord(8, { timeZone: 'Asia/Kolkata' });
    const start = Date.UTC(2026, 9, 31, 16);
    const series = seriesId(5, 3);
    await addSeries(store, { tenant: 8, metric: 'dotmac.health.status', series, kind: 'gauge' });
    const at = (minute: number, value = 1): [number, number] => [start + minute * 60_000, value];
    await addSamples(store, 8, series, [at(0), at(58), at(130), at(175, 0), at(180), at(184)]);
    await touch(8, start + 2 * 3_600_000, 2);
    await job.run();
    await touch(8, start, 1);
    await slaJob().run();
    const measured = async () =>
      (await readSla(store, [{ tenant: late, period: '2026-11' }], start + 6 * 3_600_000))[0];
    const whole = { tenant: late, period: '2026-10' };
    // The month begins at 18:30 UTC, in the middle of an hour: minute 150. 175 to 179 are bad, 180 to 184 good.
    expect(await measured()).toMatchObject({ measuredSeconds: 600, badSeconds: 300, attainment: 0.5 });
    expect((await readSla(store, [whole], start + 6 * 3_600_000))[0]).toMatchObject({ measuredSeconds: 180 });
    // A late point at 62 lies in an hour that held nothing: 59 to 61 become measured, in the hour before too.
    await addSamples(store, 8, series, [at(62)]);
    await touch(8, start + 3_600_000, 1);
    await slaJob().run();
    const [october] = await readSla(store, [whole], start + 6 * 3_600_000);
    expect(october).toMatchObject({ measuredSeconds: 180 + 240, badSeconds: 0 });
    const november = await measured();
    const summaries = await readSlaSummaries(store, [{ tenant: late, period: '2026-11' }], start + 6 * 3_600_000);
    expect(summaries.get(8)).toEqual({
      attainment: november?.attainment,
      budgetRemaining: november?.budgetRemaining,
      budgetRemainingSeconds: Math.round(0.0005 * 600 - 300),
    });
  });

  test('fleet, forecast and scaling follow from the same data', async () => {
    const nowMs = t0 + 59 * 60_000 + 30_000;
    const cpu = seriesId(8, 1);
    await addSeries(store, { tenant: 7, metric: 'container.cpu.usage', series: cpu, kind: 'gauge', unit: '{cpu}' });
    await addSamples(
      store,
      7,
      cpu,
      Array.from({ length: 30 }, (_, i) => [t0 + (30 + i) * 60_000, 0.95]),
    );
    const customers = seriesId(9, 1);
    await addSeries(store, {
      tenant: 7,
      metric: 'dotmac.customers.active',
      series: customers,
      kind: 'gauge',
      unit: '{customer}',
    });
    await addSamples(store, 7, customers, [[t0, 120]]);
    await store.execute(
      `INSERT INTO series_hour (tenant, series, bucket, count, sum, min, max, version) SELECT 7, ${customers}, toDateTime(${t0 / 1000}, 'UTC') - number * 3600 - 3600, 1, 100 + intDiv(number, 24), 0, 0, 1 FROM numbers(240)`,
    );
    const [row, other] = await readFleet(store, [tenant, tenantRecord(99)], nowMs);
    expect(row).toMatchObject({ health: 'down', customers: 120, lastSeenAt: iso(t0) });
    expect(row?.customersTrend.at(-2)).toBe(100);
    expect(row?.customersTrend).toHaveLength(31);
    expect(other).toMatchObject({ health: 'unmeasured', lastSeenAt: null, attainment: null, customers: null });
    const report = await readForecast(
      store,
      tenant,
      { metric: 'dotmac.customers.active', horizon: 5, interval: 0.9 },
      nowMs,
    );
    expect(report.history).toHaveLength(10);
    expect(report.forecast.map((point) => point.time)).toEqual([0, 1, 2, 3, 4].map((d) => t0 + d * 86_400_000));
    const appended: LogMessage[] = [];
    const log = {
      async append(_: string, messages: LogMessage[]) {
        appended.push(...messages);
        return [];
      },
    } as unknown as Log;
    const seen: string[] = [];
    const scaling = createScalingJob({
      store,
      log,
      clock: { now: () => nowMs },
      policy: defaultScalingPolicy,
      observer: { judged: (_, result) => seen.push(result) },
      tenants: {
        list: () => [tenant, tenantRecord(99)],
        byId: () => undefined,
        byNumber: () => undefined,
        refresh: async () => undefined,
      },
    });
    const [decision] = await scaling.run();
    expect(decision).toMatchObject({
      action: { name: 'change_tier', parameters: { tier: 'medium' } },
      idempotencyKey: 'isp-7/scale/2026-11-02',
    });
    expect(await scaling.run()).toEqual([]);
    expect(appended).toHaveLength(1);
    expect(seen).toEqual(['proposed', 'frozen', 'open', 'frozen']);
  });
});
