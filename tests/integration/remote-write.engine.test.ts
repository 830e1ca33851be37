import { rmSync } from 'node:fs';
import { compressSync } from 'snappy';
import { encodeMessage, type SeriesModel, toMessage } from 'streams/otlp/remote-write-messages';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';

const minute = 60_000;
/** Four scrapes a minute apart, all of them past and in one hour. */
const start = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000;
const scrapes = [0, 1, 2, 3].map((i) => start + i * minute);
const range = `start=${new Date(start).toISOString()}&end=${new Date(start + 4 * minute).toISOString()}`;

let pulse: PulseProcess;
beforeAll(async () => {
  pulse = await startPulse();
});
afterAll(async () => {
  await pulse?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
});

const contentTypes = {
  '1.0': 'application/x-protobuf',
  '2.0': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
};

async function write(
  key: string,
  version: '1.0' | '2.0',
  series: readonly Partial<SeriesModel>[],
  base = pulse.otlpHttp,
): Promise<Response> {
  const body = compressSync(Buffer.from(encodeMessage(version, toMessage(version, series))));
  return fetch(`${base}/api/v1/write`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': contentTypes[version],
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': version === '1.0' ? '0.1.0' : '2.0.0',
    },
    body: new Uint8Array(body as Buffer),
  });
}

type Labels = [string, string][];
const named = (name: string, extra: Labels = []): Labels => [
  ['__name__', name],
  ['instance', 'box:9100'],
  ['job', 'node'],
  ...extra,
];

/** What a scraped target with every kind of metric sends. */
function scrapedSeries(): Partial<SeriesModel>[] {
  const points = (value: (i: number) => number) => scrapes.map((timestamp, i) => ({ timestamp, value: value(i) }));
  const native = (schema: number, extra: object) =>
    scrapes.map((timestamp, i) => ({
      timestamp,
      schema,
      countInt: 4 * (i + 1),
      sum: 6 * (i + 1),
      // Buckets 1 and 2: (1, 2] and (2, 4] at schema 0.
      positiveSpans: [{ offset: 1, length: 2 }],
      positiveDeltas: [3 * (i + 1), -2 * (i + 1)],
      ...extra,
    }));
  return [
    // A reset between the second and the third scrape.
    { labels: named('hits_total'), samples: points((i) => [100, 130, 10, 25][i] ?? 0), type: 1 },
    { labels: named('room_celsius'), samples: points((i) => 20 + i), type: 2 },
    { labels: named('wait_seconds_bucket', [['le', '1']]), samples: points((i) => i), type: 3 },
    { labels: named('wait_seconds_bucket', [['le', '+Inf']]), samples: points((i) => 2 * i), type: 3 },
    { labels: named('wait_seconds_count'), samples: points((i) => 2 * i), type: 3 },
    { labels: named('wait_seconds_sum'), samples: points((i) => 3 * i), type: 3 },
    { labels: named('native_seconds'), histograms: native(0, {}), type: 3 },
    { labels: named('custom_seconds'), histograms: native(-53, { customValues: [0.5, 1, 2] }), type: 3 },
  ];
}

for (const version of ['1.0', '2.0'] as const) {
  test(`${version}: what a Prometheus sends is read back kind by kind, resent or not`, async () => {
    const key = await createTenant(pulse, { id: `isp-prom-${version[0]}` });
    const get = <T>(path: string) => call<T>(pulse, path, { token: key });
    const increase = async (metric: string, query = '') => {
      const path = `/api/v1/telemetry/metrics/range?metric=${metric}&${range}&step=4m&aggregate=increase${query}`;
      const { body } = await get<{ series: { points: [number, number][] }[] }>(path);
      return body.series.map(({ points }) => points.map(([, value]) => value));
    };
    const first = await write(key, version, scrapedSeries());
    expect(first.status).toBe(204);
    const written = ['samples', 'histograms', 'exemplars'].map((name) =>
      first.headers.get(`x-prometheus-remote-write-${name}-written`),
    );
    expect(written).toEqual(version === '2.0' ? ['24', '8', '0'] : [null, null, null]);
    // A sender that did not see the answer comes again, perhaps at the other port.
    expect((await write(key, version, scrapedSeries(), pulse.http)).status).toBe(204);

    const counts = () => get<{ points: number }>(`/api/v1/telemetry/counts?${range}`);
    await until(counts, ({ body }) => body.points === 32);
    const { body: metrics } = await get<{ items: { name: string; kind: string; unit: string; series: number }[] }>(
      '/api/v1/telemetry/metrics',
    );
    expect(metrics.items.map(({ name, kind, unit, series }) => [name, kind, unit, series]).sort()).toEqual([
      ['custom_seconds', 'histogram', 's', 1],
      ['hits_total', 'sum', '', 1],
      ['native_seconds', 'exponential_histogram', 's', 1],
      ['room_celsius', 'gauge', 'Cel', 1],
      ['wait_seconds_bucket', 'sum', '', 2],
      ['wait_seconds_count', 'sum', '', 1],
      ['wait_seconds_sum', 'sum', 's', 1],
    ]);
    // 100 → 130, a reset, 10 and then 25.
    expect(await increase('hits_total')).toEqual([[30 + 10 + 15]]);
    expect(await increase('wait_seconds_bucket', '&groupBy=le')).toEqual([[6], [3]]);
    expect(await increase('custom_seconds')).toEqual([[12]]);
    await until(counts, ({ body }) => body.points === 32, 5);
  });
}

test('a request that is too old in part stores the rest and says what was written', async () => {
  const key = await createTenant(pulse, { id: 'isp-prom-old' });
  const answer = await write(key, '2.0', [
    {
      labels: named('up'),
      samples: [
        { timestamp: 1_000, value: 1 },
        { timestamp: start, value: 1 },
      ],
    },
  ]);
  expect(answer.status).toBe(400);
  expect(answer.headers.get('x-prometheus-remote-write-samples-written')).toBe('1');
  expect(await answer.json()).toMatchObject({
    code: 'remote_write.partial',
    detail: expect.stringContaining('1 too_old'),
  });
  const counts = () => call<{ points: number }>(pulse, `/api/v1/telemetry/counts?${range}`, { token: key });
  await until(counts, ({ body }) => body.points === 1);
});
