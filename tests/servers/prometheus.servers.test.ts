import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';

const script = join(import.meta.dirname, 'prometheus.sh');
const windowSeconds = 12;
const trace = '0af7651916cd43dd8448eb211c80319c';

/** A target with every classic kind of metric, an exemplar and start times, as OpenMetrics text; what it counts grows by the second. */
function exposition(): string {
  const n = Math.floor(Date.now() / 1000) % 100_000;
  return `# TYPE shop info
shop_info{version="1"} 1
# TYPE shop_hits counter
# HELP shop_hits Hits.
shop_hits_total{page="/a \\"quoted\\" é"} ${n} # {trace_id="${trace}"} ${n}.25
shop_hits_created{page="/a \\"quoted\\" é"} ${n - 500}
# TYPE shop_queue_count gauge
shop_queue_count ${(n % 7) - 3}
# TYPE shop_wait_seconds histogram
# UNIT shop_wait_seconds seconds
shop_wait_seconds_bucket{le="0.1"} ${n}
shop_wait_seconds_bucket{le="1.0"} ${n * 2} # {trace_id="${trace}"} 0.${n}
shop_wait_seconds_bucket{le="+Inf"} ${n * 3}
shop_wait_seconds_count ${n * 3}
shop_wait_seconds_sum ${n * 1.25}
# TYPE shop_size_bytes summary
shop_size_bytes{quantile="0.5"} ${1000 + (n % 10)}
shop_size_bytes_count ${n}
shop_size_bytes_sum ${n * 1000}
# EOF
`;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A port that is free now; the server is closed again. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const target = createServer((_request, response) => {
  response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  response.end(exposition());
});

let pulse: PulseProcess;
let prometheus: string;
const dir = mkdtempSync(join(tmpdir(), 'pulse-prometheus-'));
const keys = new Map<string, string>();

beforeAll(async () => {
  execFileSync(script, ['install'], { stdio: ['ignore', 'inherit', 'inherit'] });
  pulse = await startPulse();
  for (const id of ['isp-one', 'isp-two']) keys.set(id, await createTenant(pulse, { id }));
  const [targetPort, ownPort] = [await listen(target), await freePort()];
  const remote = (id: string, message: string) => `
  - url: ${pulse.otlpHttp}/api/v1/write
    name: ${id}
    protobuf_message: ${message}
    send_exemplars: true
    send_native_histograms: true
    authorization: { credentials: ${keys.get(id)} }
    metadata_config: { send_interval: 2s }
    queue_config: { batch_send_deadline: 500ms }`;
  writeFileSync(
    join(dir, 'prometheus.yml'),
    `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: self
    scrape_native_histograms: true
    always_scrape_classic_histograms: true
    static_configs: [{ targets: ["127.0.0.1:${ownPort}"] }]
  - job_name: shop
    static_configs: [{ targets: ["127.0.0.1:${targetPort}"] }]
  - job_name: custom
    convert_classic_histograms_to_nhcb: true
    static_configs: [{ targets: ["127.0.0.1:${targetPort}"] }]
remote_write:${remote('isp-one', 'prometheus.WriteRequest')}${remote('isp-two', 'io.prometheus.write.v2.Request')}
`,
  );
  const out = execFileSync(script, ['start', dir, String(ownPort)], {
    env: { ...process.env, PROMETHEUS_ARGS: '--enable-feature=exemplar-storage,type-and-unit-labels' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  prometheus = out.toString().trim();
});
afterAll(async () => {
  execFileSync(script, ['stop', dir]);
  target.close();
  target.closeAllConnections();
  await pulse?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
});

interface HistogramValue {
  readonly count: string;
  readonly sum: string;
}
interface PrometheusSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly [number, string][];
  readonly histograms?: readonly [number, HistogramValue][];
}

async function query(expression: string, seconds?: number): Promise<PrometheusSeries[]> {
  const url = new URL(`${prometheus}/api/v1/query`);
  url.searchParams.set('query', expression);
  if (seconds !== undefined) url.searchParams.set('time', String(seconds));
  const answer = (await (await fetch(url)).json()) as { data: { result: PrometheusSeries[] } };
  return answer.data.result;
}

/** A figure of Prometheus about itself, at its last scrape. */
async function figure(name: string, remote: string): Promise<number> {
  const text = await (await fetch(`${prometheus}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(`remote_name="${remote}"`));
  return Number(line?.split(' ').at(-1));
}

/** Attributes in one text: without the name, and without type and unit, which are no attributes in Pulse. */
function identity(labels: Readonly<Record<string, string>>): string {
  const { __name__: _name, __type__: _type, __unit__: _unit, ...rest } = labels;
  return JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const iso = (ms: number) => new Date(ms).toISOString();

test('what a real Prometheus scrapes and writes, by 1.0 and 2.0 at once, stands in Pulse sample for sample', async () => {
  const up = () => query('count_over_time(up{job="shop"}[1m])');
  await until(up, ([series]) => Number((series as { value?: [number, string] })?.value?.[1]) > windowSeconds + 3, 60);
  // A window that is over: (end − window, end] there, half-open by a millisecond here.
  const end = Math.floor(Date.now() / 1000) - 1;
  const range = `start=${iso((end - windowSeconds) * 1000 + 1)}&end=${iso(end * 1000 + 1)}`;
  const truth = await query(`{__name__=~".+"}[${windowSeconds}s]`, end);
  const total = (series: readonly PrometheusSeries[]) =>
    series.reduce((sum, { values = [], histograms = [] }) => sum + values.length + histograms.length, 0);
  expect(truth.filter(({ histograms = [] }) => histograms.length > 0).length).toBeGreaterThan(2);
  expect(total(truth)).toBeGreaterThan(5000);

  for (const id of keys.keys()) {
    const token = keys.get(id) ?? '';
    // Custom buckets are not part of 1.0: Prometheus drops them itself and counts them so.
    const isSent = ({ metric, histograms = [] }: PrometheusSeries) =>
      id === 'isp-two' || histograms.length === 0 || metric['job'] !== 'custom';
    const samples = total(truth.filter(isSent));
    const counts = () => call<{ points: number }>(pulse, `/api/v1/telemetry/counts?${range}`, { token });
    await until(counts, ({ body }) => body.points >= samples);
    expect((await counts()).body.points).toBe(samples);
    await compareSeries(truth, token, range);
    for (const name of ['samples', 'histograms', 'exemplars', 'metadata']) {
      expect([name, await figure(`prometheus_remote_storage_${name}_failed_total`, id)]).toEqual([name, 0]);
    }
    expect(await figure('prometheus_remote_storage_exemplars_total', id)).toBeGreaterThan(10);
  }
  expect(readFileSync(join(dir, 'prometheus.log'), 'utf8')).not.toMatch(/non-recoverable|level=ERROR/);
});

/** Every sample of the shop and of some of Prometheus' own metrics, value by value. */
async function compareSeries(truth: readonly PrometheusSeries[], token: string, range: string): Promise<void> {
  const names = new Set(
    truth
      .filter(
        ({ values = [], metric }) =>
          values.length > 0 && /^(shop_|up|go_memstats|prometheus_tsdb_head)/.test(metric['__name__'] ?? ''),
      )
      .map(({ metric }) => metric['__name__'] ?? ''),
  );
  expect(names.size).toBeGreaterThan(20);
  for (const name of names) {
    const path = `/api/v1/telemetry/metrics/points?metric=${name}&${range}`;
    const answer = () =>
      call<{ series: { attributes: Record<string, string>; points: [number, number][] }[] }>(pulse, path, { token });
    const { body } = await until(answer, ({ status }) => status === 200);
    const stored = new Map(body.series.map(({ attributes, points }) => [identity(attributes), points]));
    const expected = truth.filter(({ metric, values = [] }) => metric['__name__'] === name && values.length > 0);
    expect([name, stored.size]).toEqual([name, expected.length]);
    for (const { metric, values = [] } of expected) {
      const wanted = values.map(([seconds, value]) => [Math.round(seconds * 1000), Number(value)]);
      expect(stored.get(identity(metric)), `${name} ${identity(metric)}`).toEqual(wanted);
    }
  }
}

test('kinds and units are those that the target states, whatever the names suggest', async () => {
  const kinds = async (id: string) => {
    const { body } = await call<{ items: { name: string; kind: string; unit: string }[] }>(
      pulse,
      '/api/v1/telemetry/metrics?limit=1000&prefix=shop_',
      { token: keys.get(id) ?? '' },
    );
    return Object.fromEntries(body.items.map(({ name, kind, unit }) => [`${name} ${kind}`, unit]));
  };
  const both = {
    'shop_hits_total sum': '',
    'shop_wait_seconds_bucket sum': '',
    'shop_wait_seconds_count sum': '',
    'shop_wait_seconds_sum sum': 's',
    'shop_size_bytes gauge': 'By',
    'shop_size_bytes_count sum': '',
    'shop_size_bytes_sum sum': 'By',
    'shop_info gauge': '',
    'shop_queue_count gauge': '',
    'shop_hits_created sum': 's',
  };
  expect(await kinds('isp-one')).toEqual(both);
  expect(await kinds('isp-two')).toEqual({ ...both, 'shop_wait_seconds histogram': 's' });
});

test('native histograms count what Prometheus counts', async () => {
  const end = Math.floor(Date.now() / 1000) - 1;
  const metric = 'prometheus_http_request_duration_seconds';
  const truth = (await query(`${metric}[${windowSeconds}s]`, end)).filter(
    ({ histograms = [] }) => histograms.length > 1,
  );
  const observed = ({ histograms = [] }: PrometheusSeries) =>
    Number(histograms.at(-1)?.[1].count) - Number(histograms[0]?.[1].count);
  const expected = truth.reduce((sum, series) => sum + observed(series), 0);
  expect(expected).toBeGreaterThan(0);
  const range = `start=${iso((end - windowSeconds) * 1000 + 1)}&end=${iso(end * 1000 + 1)}`;
  for (const token of keys.values()) {
    const path = `/api/v1/telemetry/metrics/range?metric=${metric}&${range}&step=1h&aggregate=increase&kind=exponential_histogram`;
    const answer = () => call<{ series: { points: [number, number][] }[] }>(pulse, path, { token });
    const increase = (body: { series?: { points: [number, number][] }[] }) =>
      (body.series ?? []).flatMap(({ points }) => points).reduce((sum, [, value]) => sum + value, 0);
    // The read side counts from the last point before the range, so it may see one scrape more.
    const { body } = await until(answer, (one) => increase(one.body) >= expected);
    expect(increase(body)).toBeLessThanOrEqual(expected + 20);
  }
});

test('a target that goes away ends its series: nothing failed, no value after the end', async () => {
  await new Promise((resolve) => {
    target.close(resolve);
    target.closeAllConnections();
  });
  await until(
    () => query('up{job="shop"} == 0'),
    (result) => result.length === 1,
  );
  const end = Date.now();
  await until(
    () => query('shop_info'),
    (result) => result.length === 0,
  );
  for (const [id, token] of keys) {
    const range = `start=${iso(end)}&end=${iso(end + 60_000)}`;
    const ups = () =>
      call<{ series: { points: unknown[] }[] }>(pulse, `/api/v1/telemetry/metrics/points?metric=up&${range}`, {
        token,
      });
    await until(ups, ({ body }) => (body.series ?? []).some(({ points }) => points.length > 2));
    const { body } = await call<{ series: unknown[] }>(
      pulse,
      `/api/v1/telemetry/metrics/points?metric=shop_info&${range}`,
      {
        token,
      },
    );
    expect(body.series.flatMap((one) => (one as { points: unknown[] }).points)).toEqual([]);
    expect(await figure('prometheus_remote_storage_samples_failed_total', id)).toBe(0);
  }
});
