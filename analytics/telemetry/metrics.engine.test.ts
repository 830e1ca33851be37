import type { Store } from 'streams/store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addHistograms, addSamples, addSeries, insertRows, openEngine, seriesId } from '../testing/engine-fixture.ts';
import { openReadServer, type ReadServer } from './testing/read-server.ts';

const t0 = Date.UTC(2026, 10, 2);
const iso = (ms: number): string => new Date(ms).toISOString();
let store: Store;
let server: ReadServer;
let closeEngine: () => Promise<void>;
beforeAll(async () => {
  ({ store, close: closeEngine } = await openEngine());
  server = await openReadServer(store, t0 + 120_000, [1, 2, 3, 4, 5, 6]);
});
afterAll(async () => {
  await server.close();
  await closeEngine();
});

interface RangeAnswer {
  metric: string;
  unit: string;
  resolution: string;
  partial: boolean;
  series: { attributes: Record<string, string>; points: [number, number][] }[];
  code: string;
  field: string;
  detail: string;
}
const ask = (tenant: number, metric: string, query: Record<string, string | readonly string[] | undefined> = {}) =>
  server.get<RangeAnswer>(tenant, 'metrics/range', {
    metric,
    start: iso(t0),
    end: iso(t0 + 120_000),
    step: '60s',
    ...query,
  });
const points = async (...args: Parameters<typeof ask>) => {
  const { status, body, text } = await ask(...args);
  expect(status, text).toBe(200);
  return body.series.map((series) => series.points);
};

describe('counters and gauges', () => {
  test('increase is exact across resets, edges and resends, and rate is a second of it', async () => {
    const [a, b] = [seriesId(1, 1), seriesId(1, 2)];
    const counter = { tenant: 1, metric: 'c', kind: 'sum', temporality: 'cumulative', monotonic: true, unit: 'By' };
    await addSeries(store, { ...counter, series: a, attributes: { 'if.name': 'x', 'resource.host': 'h1' } });
    await addSeries(store, { ...counter, series: b, attributes: { 'if.name': 'y', 'resource.host': 'h1' } });
    await addSamples(store, 1, a, [
      [t0 - 30_000, 90],
      [t0 + 10_000, 100],
      [t0 + 40_000, 110],
      [t0 + 70_000, 5],
      [t0 + 100_000, 25],
    ]);
    await addSamples(store, 1, a, [[t0 + 10_000, 100]]);
    await addSamples(store, 1, b, [
      [t0 + 10_000, 1],
      [t0 + 70_000, 3],
    ]);
    const { body } = await ask(1, 'c', { aggregate: 'increase', groupBy: 'if.name' });
    expect(body).toEqual({
      metric: 'c',
      unit: 'By',
      resolution: 'raw',
      partial: false,
      series: [
        {
          attributes: { 'if.name': 'x' },
          points: [
            [t0, 20],
            [t0 + 60_000, 25],
          ],
        },
        {
          attributes: { 'if.name': 'y' },
          points: [
            [t0, 0],
            [t0 + 60_000, 2],
          ],
        },
      ],
    });
    const rate = await ask(1, 'c', { aggregate: 'rate' });
    expect(rate.body.unit).toBe('By/s');
    expect(rate.body.series[0]?.points.map(([, value]) => value)).toEqual([
      expect.closeTo(20 / 60, 12),
      expect.closeTo(27 / 60, 12),
    ]);
    expect(await points(1, 'c', { aggregate: 'count' })).toEqual([
      [
        [t0, 3],
        [t0 + 60_000, 3],
      ],
    ]);
    expect((await points(1, 'c', { aggregate: 'p50', groupBy: 'if.name' }))[0]?.[0]).toEqual([t0, 105]);
    expect(await points(1, 'c', { aggregate: 'last' })).toEqual([
      [
        [t0, 110],
        [t0 + 60_000, 25],
      ],
    ]);
  });

  test('a restart that the values do not show is seen by the start time', async () => {
    const series = seriesId(11, 1);
    await addSeries(store, { tenant: 1, metric: 's', series, kind: 'sum', temporality: 'cumulative', monotonic: true });
    const rows = [
      [0, 10, 0],
      [20_000, 20, 0],
      [40_000, 25, 30_000],
    ].map(
      ([ms = 0, value, start = 0]) =>
        `(1, ${series}, fromUnixTimestamp64Milli(${t0 + ms}), ${value}, fromUnixTimestamp64Milli(${t0 + start}), 4000)`,
    );
    await insertRows(store, 'samples', ['tenant', 'series', 'time', 'value', 'start', 'retention_days'], rows);
    expect(await points(1, 's', { aggregate: 'increase' })).toEqual([[[t0, 35]]]);
  });

  test('delta points are added once, though they were sent twice', async () => {
    const series = seriesId(12, 1);
    await addSeries(store, { tenant: 1, metric: 'd', series, kind: 'sum', temporality: 'delta', monotonic: true });
    for (let i = 0; i < 2; i++) {
      await addSamples(store, 1, series, [
        [t0, 5],
        [t0 + 30_000, 7],
        [t0 + 60_000, 1],
      ]);
    }
    expect(await points(1, 'd', { aggregate: 'increase' })).toEqual([
      [
        [t0, 12],
        [t0 + 60_000, 1],
      ],
    ]);
  });

  test('points without a recorded value and values that are not finite count nowhere', async () => {
    const series = seriesId(13, 1);
    await addSeries(store, { tenant: 1, metric: 'n', series, kind: 'gauge' });
    const at = (ms: number) => `fromUnixTimestamp64Milli(${t0 + ms})`;
    await insertRows(
      store,
      'samples',
      ['tenant', 'series', 'time', 'value', 'flags', 'retention_days'],
      [
        `(1, ${series}, ${at(0)}, 2., 0, 4000)`,
        `(1, ${series}, ${at(1_000)}, nan, 0, 4000)`,
        `(1, ${series}, ${at(2_000)}, 99., 1, 4000)`,
        `(1, ${series}, ${at(3_000)}, inf, 0, 4000)`,
        `(1, ${series}, ${at(4_000)}, 4., 0, 4000)`,
      ],
    );
    expect(await points(1, 'n')).toEqual([[[t0, 3]]]);
    expect(await points(1, 'n', { aggregate: 'count' })).toEqual([[[t0, 2]]]);
    expect(await points(1, 'n', { aggregate: 'max' })).toEqual([[[t0, 4]]]);
    expect(await points(1, 'n', { aggregate: 'p100' })).toEqual([[[t0, 4]]]);
  });

  test('filters, several group attributes, the first groups by mean, and the rate of Prometheus', async () => {
    for (const [i, [route, code]] of [
      ['/a', '200'],
      ['/a', '500'],
      ['/b', '200'],
      ['/b', '404'],
    ].entries()) {
      const series = seriesId(14, i + 1);
      const attributes = { route: route ?? '', code: code ?? '' };
      await addSeries(store, {
        ...{ tenant: 1, metric: 'q', series, kind: 'sum', temporality: 'cumulative', monotonic: true },
        attributes,
      });
      await addSamples(
        store,
        1,
        series,
        Array.from({ length: 14 }, (_, k) => [t0 + (k - 1) * 10_000, (i + 1) * 10 * k]),
      );
    }
    const sums = { aggregate: 'increase', step: '2m' };
    const labels = async (query: Record<string, string | readonly string[]>) =>
      (await ask(1, 'q', { ...sums, ...query })).body.series.map((s) => [s.attributes, s.points[0]?.[1]]);
    expect(await labels({ groupBy: 'route,code', filter: ['route=/a'] })).toEqual([
      [{ route: '/a', code: '200' }, 120],
      [{ route: '/a', code: '500' }, 240],
    ]);
    expect(await labels({ groupBy: ['route'], filter: ['code!=404'] })).toEqual([
      [{ route: '/a' }, 360],
      [{ route: '/b' }, 360],
    ]);
    expect(await labels({ groupBy: '*', filter: ['code=~[45]..'] })).toEqual([
      [{ route: '/a', code: '500' }, 240],
      [{ route: '/b', code: '404' }, 480],
    ]);
    expect(await labels({ filter: ['code!~2.*', 'route=/a'] })).toEqual([[{}, 240]]);
    const top = await ask(1, 'q', { ...sums, groupBy: 'code', limit: '2' });
    expect(top.body.partial).toBe(true);
    expect(top.body.series.map((s) => s.attributes['code'])).toEqual(['200', '404']);
    const highest = await ask(1, 'q', { ...sums, groupBy: '*', limit: '1' });
    expect(highest.body.series.map((s) => s.attributes)).toEqual([{ route: '/b', code: '404' }]);
    const prometheus = await points(1, 'q', { aggregate: 'rate', window: '1m', filter: 'code=404' });
    expect(prometheus).toEqual([
      [
        [t0, expect.closeTo(4, 3)],
        [t0 + 60_000, expect.closeTo(4, 3)],
      ],
    ]);
  });

  test('an unknown metric has no series; a gauge has no increase; another tenant sees nothing', async () => {
    expect((await ask(1, 'nothing')).body.series).toEqual([]);
    expect((await ask(2, 'c')).body.series).toEqual([]);
    const answer = await ask(1, 'n', { aggregate: 'increase' });
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([
      422,
      'telemetry.aggregate_unsupported',
      'aggregate',
    ]);
    const foreign = await server.get(1, 'metrics/range', { tenant: 'isp-2', metric: 'c' });
    expect(foreign.status).toBe(403);
    const unnamed = await server.get('operator', 'metrics/range', { metric: 'c' });
    expect([unnamed.status, unnamed.body['field']]).toEqual([400, 'tenant']);
    expect((await server.get('operator', 'metrics/range', { tenant: 'isp-1', metric: 'c' })).status).toBe(200);
  });

  test.each([
    [{ step: '1s', start: iso(t0), end: iso(t0 + 86_400_000) }, 422, 'telemetry.too_many_points', 'step'],
    [{ start: iso(t0 + 1), end: iso(t0) }, 400, 'telemetry.range_invalid', 'end'],
    [{ filter: 'route' }, 400, 'telemetry.filter_invalid', 'filter'],
    [{ filter: 'route=~(' }, 400, 'telemetry.filter_invalid', 'filter'],
    [{ filter: 'route=~(?=a)' }, 400, 'telemetry.filter_invalid', 'filter'],
    [{ filter: 'route=~\\p{Foo}' }, 400, 'telemetry.filter_invalid', 'filter'],
    [{ groupBy: '*,route' }, 400, 'telemetry.group_invalid', 'groupBy'],
    [{ aggregate: 'p101' }, 400, 'request.invalid', 'querystring.aggregate'],
    [{ aggregate: 'median' }, 400, 'request.invalid', 'querystring.aggregate'],
    [{ step: '0s' }, 400, 'request.invalid', 'querystring.step'],
    [{ start: 'yesterday' }, 400, 'request.invalid', 'querystring.start'],
    [{ window: '5m' }, 400, 'telemetry.window_invalid', 'window'],
  ] as const)('%j is refused with %d %s naming %s', async (query, status, code, field) => {
    const answer = await ask(1, 'q', query);
    expect([answer.status, answer.body.code, answer.body.field], answer.text).toEqual([status, code, field]);
  });

  test('without times it is the last hour, without a step one that fits; offsets are understood', async () => {
    const { body } = await server.get<RangeAnswer>(1, 'metrics/range', { metric: 'q', aggregate: 'count' });
    expect(body.series[0]?.points.map(([, value]) => value)).toEqual(
      [4, 24, 24, 4].slice(0, body.series[0]?.points.length),
    );
    const offset = await points(1, 'q', {
      aggregate: 'count',
      start: '2026-11-02T01:00:00+01:00',
      end: '2026-11-02T01:01:00+01:00',
    });
    expect(offset).toEqual([[[t0, 24]]]);
  });
});

describe('roll-ups', () => {
  const hour = 3_600_000;
  const [a, b] = [seriesId(20, 1), seriesId(20, 2)];
  const values = Array.from({ length: 5 * 60 + 30 }, (_, i): [number, number] => [
    t0 + i * 60_000 + 7_000,
    i < 100 ? 10 * i : i < 180 ? 7 * (i - 100) + (i % 3) : 3 * i,
  ]);

  beforeAll(async () => {
    const base = { tenant: 4, metric: 'c', kind: 'sum', monotonic: true };
    await addSeries(store, { ...base, series: a, temporality: 'cumulative', attributes: { k: 'a' } });
    await addSeries(store, { ...base, series: b, temporality: 'delta', attributes: { k: 'b' } });
    await addSamples(store, 4, a, [[t0 - hour, 0], ...values]);
    await addSamples(store, 4, b, values);
    // Begins inside its first minute; begins again between two minutes without falling.
    const edge = seriesId(20, 3);
    await addSeries(store, { ...base, metric: 'edge', series: edge, temporality: 'cumulative' });
    await store.execute(
      `INSERT INTO samples (tenant, series, time, value, start, retention_days)
       SELECT 4, ${edge}, fromUnixTimestamp64Milli(${t0} + 40000 + 20000 * number), number, fromUnixTimestamp64Milli(${t0} + if(number < 601, 30000, 12055000)), 4000 FROM numbers(960)`,
    );
    await store.execute(
      `INSERT INTO touched (token, signal, tenant, bucket, seq) SELECT 'a', 'metrics', 4, toDateTime(${t0 / 1000}, 'UTC') + number * 3600, 5 FROM numbers(6)`,
    );
  });

  const aggregates = ['avg', 'sum', 'min', 'max', 'count', 'last', 'increase', 'rate'];
  const everything = (step: string, wanted = aggregates) =>
    Promise.all(
      wanted.map(async (aggregate) => {
        const { body } = await ask(4, 'c', { aggregate, step, groupBy: 'k', end: iso(t0 + 5.5 * hour) });
        return { resolution: body.resolution, series: body.series };
      }),
    );
  /** Rolls an hour up as the job does. */
  const roll = async (h: number, version: number) => {
    const { readFileSync } = await import('node:fs');
    for (const name of ['roll-series-hour', 'roll-series-minute', 'roll-mark']) {
      const sql = readFileSync(new URL(`../../streams/store/sql/${name}.sql`, import.meta.url), 'utf8');
      const start = t0 / 1000 + h * 3600;
      const hours = { tenants: [4], hours: [start], fromHour: start, toHour: start };
      await store.execute(sql, { ...hours, version, parts: 1, part: 0 });
    }
  };

  test('hours, minutes and samples together give the numbers of samples alone; the open hour and a late one are read from samples', async () => {
    const [raw, rawMinutes] = [await everything('1h'), await everything('5m', ['avg', 'increase'])];
    const edges = async () =>
      (await points(4, 'edge', { aggregate: 'increase', step: '5m', end: iso(t0 + 5.5 * hour) }))[0];
    const rawEdges = await edges();
    expect(rawEdges?.find(([ms]) => ms === t0 + 12_000_000)).toEqual([t0 + 12_000_000, 14 + 601]);
    expect(new Set([...raw, ...rawMinutes].map((answer) => answer.resolution))).toEqual(new Set(['raw']));
    expect(raw[6]?.series[0]?.points.reduce((s, [, v]) => s + v, 0)).toBe(
      values.reduce(
        (sum, [, v], i) => sum + (i === 0 ? v : v >= (values[i - 1]?.[1] ?? 0) ? v - (values[i - 1]?.[1] ?? 0) : v),
        0,
      ),
    );
    for (let h = 0; h < 5; h++) await roll(h, 5);
    const [rolled, rolledMinutes] = [await everything('1h'), await everything('5m', ['avg', 'increase'])];
    expect(new Set([...rolled, ...rolledMinutes].map((answer) => answer.resolution))).toEqual(new Set(['mixed']));
    expect(rolled.map((answer) => answer.series)).toEqual(raw.map((answer) => answer.series));
    expect(rolledMinutes.map((answer) => answer.series)).toEqual(rawMinutes.map((answer) => answer.series));
    expect(await edges()).toEqual(rawEdges);
    // Proof that the roll-ups are read: a newer version of one row shows.
    await store.execute(
      `INSERT INTO series_hour (tenant, series, bucket, count, sum, version) SELECT 4, ${a}, toDateTime(${t0 / 1000}, 'UTC'), 777, 0, 99`,
    );
    const counted = await points(4, 'c', { aggregate: 'count', step: '1h', filter: 'k=a', end: iso(t0 + 5 * hour) });
    expect(counted[0]?.slice(0, 2)).toEqual([
      [t0, 777],
      [t0 + hour, 60],
    ]);
    // A late batch touches hour 4: it is read from them until it is rolled up anew.
    await store.execute(
      `INSERT INTO touched (token, signal, tenant, bucket, seq) SELECT 'late', 'metrics', 4, toDateTime(${t0 / 1000 + 4 * 3600}, 'UTC'), 9`,
    );
    await addSamples(store, 4, b, [[t0 + 4 * hour + 1_000, 1_000]]);
    // A server that remembers nothing of before.
    await server.close();
    server = await openReadServer(store, t0 + 120_000, [1, 2, 3, 4, 5, 6]);
    const late = async () =>
      (await points(4, 'c', { aggregate: 'increase', step: '1h', filter: 'k=b', end: iso(t0 + 5 * hour) }))[0]?.[4];
    const before = raw[6]?.series[1]?.points[4]?.[1] ?? 0;
    expect(await late()).toEqual([t0 + 4 * hour, before + 1_000]);
    await roll(4, 9);
    expect(await late()).toEqual([t0 + 4 * hour, before + 1_000]);
  });
});

describe('distributions', () => {
  test('cumulative histograms give the difference to the previous point, resets whole', async () => {
    const series = seriesId(3, 1);
    const histogram = { tenant: 1, metric: 'h', kind: 'histogram', temporality: 'cumulative', unit: 's' };
    await addSeries(store, { ...histogram, series, bounds: [1, 2] });
    const sent = [
      { ms: t0 - 10_000, count: 5, sum: 5, buckets: [5, 0, 0] },
      { ms: t0 + 10_000, count: 7, sum: 7, buckets: [6, 1, 0] },
      { ms: t0 + 50_000, count: 9, sum: 11, buckets: [6, 3, 0] },
      { ms: t0 + 70_000, count: 2, sum: 1, buckets: [2, 0, 0] },
      { ms: t0 + 80_000, count: 1, sum: 1.5, buckets: [0, 1, 0] },
    ];
    await addHistograms(store, 1, series, sent);
    await addHistograms(store, 1, series, sent.slice(1, 3));
    const both = (x: number, y: number) => [
      [
        [t0, x],
        [t0 + 60_000, y],
      ],
    ];
    expect(await points(1, 'h', { aggregate: 'count' })).toEqual(both(4, 3));
    expect(await points(1, 'h')).toEqual(both(1.5, 2.5 / 3));
    expect(await points(1, 'h', { aggregate: 'sum' })).toEqual(both(6, 2.5));
    // Observed: 1 up to one second, 3 up to two; then 2 and 1.
    expect(await points(1, 'h', { aggregate: 'p50' })).toEqual(both(1 + 1 / 3, 0.75));
    expect((await ask(1, 'h', { aggregate: 'rate' })).body.unit).toBe('1/s');
    const extreme = await ask(1, 'h', { aggregate: 'max' });
    expect([extreme.status, extreme.body.code]).toEqual([422, 'telemetry.aggregate_unsupported']);
  });

  test('delta histograms add up, other bounds and exponential buckets with them', async () => {
    const [a, b] = [seriesId(5, 1), seriesId(5, 2)];
    const delta = { tenant: 1, metric: 'dh', kind: 'histogram', temporality: 'delta' };
    await addSeries(store, { ...delta, series: a, bounds: [1, 2] });
    await addSeries(store, { ...delta, series: b, bounds: [1, 2, 4] });
    for (let i = 0; i < 2; i++) {
      await addHistograms(store, 1, a, [{ ms: t0, count: 4, sum: 4, buckets: [4, 0, 0] }]);
      await addHistograms(store, 1, b, [{ ms: t0 + 1, count: 4, sum: 12, buckets: [0, 0, 4, 0] }]);
    }
    expect(await points(1, 'dh', { aggregate: 'count' })).toEqual([[[t0, 8]]]);
    expect(await points(1, 'dh', { aggregate: 'avg' })).toEqual([[[t0, 2]]]);
    expect(await points(1, 'dh', { aggregate: 'p50' })).toEqual([[[t0, 1]]]);
    expect(await points(1, 'dh', { aggregate: 'p75' })).toEqual([[[t0, 3]]]);
  });

  test('exponential histograms are merged at their common scale, across a change of scale and a reset', async () => {
    const columns = [
      'tenant',
      'series',
      'time',
      'count',
      'sum',
      'scale',
      'zero_count',
      'positive_offset',
      'positive_counts',
      'retention_days',
    ];
    const row = (
      series: string,
      ms: number,
      count: number,
      sum: number,
      scale: number,
      offset: number,
      counts: number[],
    ) =>
      `(1, ${series}, fromUnixTimestamp64Milli(${t0 + ms}), ${count}, ${sum}, ${scale}, 0, ${offset}, [${counts.join()}], 4000)`;
    const cumulative = seriesId(6, 1);
    const base = { tenant: 1, metric: 'e', kind: 'exponential_histogram' };
    await addSeries(store, { ...base, series: cumulative, temporality: 'cumulative' });
    // At scale 1 bucket i holds (2^(i/2), 2^((i+1)/2)]; at scale 0 (2^i, 2^(i+1)].
    await insertRows(store, 'exponential_histograms', columns, [
      row(cumulative, -5_000, 2, 3, 1, 0, [1, 1]),
      row(cumulative, 5_000, 6, 11, 1, 0, [1, 1, 4]),
      row(cumulative, 30_000, 10, 35, 0, 0, [2, 4, 4]),
      row(cumulative, 65_000, 3, 2, 0, -1, [3]),
    ]);
    expect(await points(1, 'e', { aggregate: 'count' })).toEqual([
      [
        [t0, 8],
        [t0 + 60_000, 3],
      ],
    ]);
    // Four in (2, 4] and four in (4, 8]; then three in (0.5, 1].
    expect(await points(1, 'e', { aggregate: 'p50' })).toEqual([
      [
        [t0, 4],
        [t0 + 60_000, expect.closeTo(0.5 * Math.SQRT2, 12)],
      ],
    ]);
    const delta = seriesId(6, 2);
    await addSeries(store, { ...base, metric: 'ed', series: delta, temporality: 'delta' });
    for (let i = 0; i < 2; i++) {
      await insertRows(store, 'exponential_histograms', columns, [
        row(delta, 0, 4, 12, 1, 2, [4]),
        row(delta, 1_000, 4, 24, 0, 2, [4]),
      ]);
    }
    expect(await points(1, 'ed', { aggregate: 'p50' })).toEqual([[[t0, 4]]]);
    expect(await points(1, 'ed', { aggregate: 'avg' })).toEqual([[[t0, 4.5]]]);
  });

  test('summaries answer count, sum and what quantiles they report', async () => {
    const series = seriesId(7, 1);
    await addSeries(store, { tenant: 1, metric: 'sm', series, kind: 'summary' });
    const row = (ms: number, count: number, sum: number, p50: number) =>
      `(1, ${series}, fromUnixTimestamp64Milli(${t0 + ms}), ${count}, ${sum}, [0.5, 0.9], [${p50}., 9.], 4000)`;
    await insertRows(
      store,
      'summaries',
      ['tenant', 'series', 'time', 'count', 'sum', 'quantiles', 'quantile_values', 'retention_days'],
      [row(-1_000, 10, 20, 1), row(10_000, 14, 40, 2), row(40_000, 20, 50, 4)],
    );
    expect(await points(1, 'sm', { aggregate: 'count' })).toEqual([[[t0, 10]]]);
    expect(await points(1, 'sm')).toEqual([[[t0, 3]]]);
    expect(await points(1, 'sm', { aggregate: 'p50' })).toEqual([[[t0, 3]]]);
    const missing = await ask(1, 'sm', { aggregate: 'p99' });
    expect([missing.status, missing.body.field, missing.body.detail]).toEqual([
      422,
      'aggregate',
      'the summary reports no quantile 0.99; it reports 0.5, 0.9',
    ]);
  });
});

describe('lists, points and lines', () => {
  test('metrics by prefix and part of the name, page by page; attributes and their values', async () => {
    type List = { items: Record<string, unknown>[]; nextCursor: string | null };
    const first = (await server.get<List>(1, 'metrics', { limit: 2 })).body;
    expect(first.items.map((item) => [item['name'], item['series']])).toEqual([
      ['c', 2],
      ['d', 1],
    ]);
    const rest = (await server.get<List>(1, 'metrics', { limit: 100, cursor: first.nextCursor ?? '' })).body;
    expect(rest.items.map((item) => item['name'])).toEqual(['dh', 'e', 'ed', 'h', 'n', 'q', 's', 'sm']);
    expect((await server.get<List>(1, 'metrics', { prefix: 'e' })).body.items).toHaveLength(2);
    expect((await server.get<List>(1, 'metrics', { search: 'M' })).body.items).toMatchObject([
      { name: 'sm', kind: 'summary' },
    ]);
    expect((await server.get<List>(1, 'metrics/attributes', { metric: 'c' })).body.items).toEqual([
      { name: 'if.name', values: 2, series: 2 },
      { name: 'resource.host', values: 1, series: 2 },
    ]);
    const values = { metric: 'q', attribute: 'code', limit: 2 };
    const codes = (await server.get<List>(1, 'metrics/attributes/values', values)).body;
    expect(codes.items).toEqual([
      { value: '200', series: 2 },
      { value: '404', series: 1 },
    ]);
    const more = await server.get<List>(1, 'metrics/attributes/values', { ...values, cursor: codes.nextCursor ?? '' });
    expect(more.body).toEqual({ items: [{ value: '500', series: 1 }], nextCursor: null });
  });

  test('the newest point of each series; samples as they are stored; answers in lines say the same', async () => {
    const latest = await server.get<{ items: Record<string, unknown>[] }>(1, 'metrics/latest', { metric: 'c' });
    expect(latest.status, latest.text).toBe(200);
    expect(latest.body.items).toEqual([
      { metric: 'c', unit: 'By', attributes: { 'if.name': 'x', 'resource.host': 'h1' }, time: t0 + 100_000, value: 25 },
      { metric: 'c', unit: 'By', attributes: { 'if.name': 'y', 'resource.host': 'h1' }, time: t0 + 70_000, value: 3 },
    ]);
    const stored = { metric: 'c', start: iso(t0 - 60_000), end: iso(t0 + 60_000), filter: 'if.name=x' };
    const json = await server.get<{ series: unknown[] }>(1, 'metrics/points', stored);
    const attributes = { 'if.name': 'x', 'resource.host': 'h1' };
    const [before, after] = [
      [[t0 - 30_000, 90]],
      [
        [t0 + 10_000, 100],
        [t0 + 40_000, 110],
      ],
    ];
    expect(json.body).toEqual({ metric: 'c', series: [{ attributes, points: [...before, ...after] }] });
    // A line is up to an hour of a series, so that it can be sent before the next hour is read.
    const lines = await server.get<unknown[]>(1, 'metrics/points', stored, { accept: 'application/x-ndjson' });
    expect(lines.body).toEqual([
      { attributes, points: before },
      { attributes, points: after },
    ]);
    const histogram = await server.get<RangeAnswer>(1, 'metrics/points', { ...stored, metric: 'h', filter: [] });
    expect([histogram.status, histogram.body.code, histogram.body.field]).toEqual([
      422,
      'telemetry.aggregate_unsupported',
      'metric',
    ]);
    const query = { metric: 'q', groupBy: 'code', start: iso(t0), end: iso(t0 + 60_000) };
    const answer = await server.get<RangeAnswer>(1, 'metrics/range', query);
    const ranged = await server.get<Record<string, unknown>[]>(1, 'metrics/range', query, {
      accept: 'application/x-ndjson',
    });
    const { series, ...head } = answer.body;
    expect(ranged.body).toEqual([head, ...series]);
  });

  test('counts see a resent point once, by occurred-at, half-open', async () => {
    const counts = async (start: number, end: number) =>
      (await server.get(1, 'counts', { start: iso(start), end: iso(end) })).body;
    expect(await counts(t0 - 30_000, t0 - 1_000)).toEqual({
      points: 1 + 4 + 1 + 1,
      spans: 0,
      logRecords: 0,
      usageEvents: 0,
    });
    expect((await counts(t0 + 10_000, t0 + 10_001))['points']).toBe(2 + 4 + 1 + 1);
  });
});
