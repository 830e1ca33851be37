import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { freePort } from './clients/free-port.ts';
import { generateTelemetry, installCollector, type OtelCollector, startCollector } from './clients/otel-collector.ts';

interface Counts {
  readonly points: number;
  readonly spans: number;
  readonly logRecords: number;
}

let pulse: PulseProcess;
let environment: Record<string, string>;
const running: OtelCollector[] = [];

beforeAll(async () => {
  await installCollector();
  environment = {
    PULSE_HTTP_PORT: `${await freePort()}`,
    PULSE_OTLP_HTTP_PORT: `${await freePort()}`,
    PULSE_OTLP_GRPC_PORT: `${await freePort()}`,
  };
  pulse = await startPulse({ environment });
});
afterAll(async () => {
  for (const collector of running) {
    await collector.stop();
    collector.remove();
  }
  await pulse?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
});

const started = Date.now();
const at = (ms: number) => new Date(ms).toISOString();
const counts = async (key: string): Promise<Counts> => {
  const range = `start=${at(started - 3_600_000)}&end=${at(Date.now() + 3_600_000)}`;
  return (await call<Counts & Record<string, unknown>>(pulse, `/api/v1/telemetry/counts?${range}`, { token: key }))
    .body;
};
const restartPulse = async () => {
  pulse = await startPulse({ dataDir: pulse.dataDir, environment });
};
const sidecar = async (apiKey: string, more: Readonly<Record<string, string>> = {}) => {
  const collector = await startCollector('sidecar.yaml', {
    PULSE_OTLP_ENDPOINT: pulse.otlpHttp,
    PULSE_API_KEY: apiKey,
    RETRY_MAX_INTERVAL: '1s',
    HOST_METRICS_DELAY: '1h',
    SERVICE_INSTANCE_ID: 'sidecar-of-the-test',
    ...more,
  });
  running.push(collector);
  return collector;
};
/** All three signals over both protocols: 2 × 300 points, 2 × 2 × 200 spans, 2 × 250 log records. */
const sendAll = (collector: Pick<OtelCollector, 'otlpHttp' | 'otlpGrpc'>, name: string, apiKey?: string) => {
  const key = apiKey === undefined ? {} : { apiKey };
  return Promise.all(
    (['http', 'grpc'] as const).flatMap((protocol) => {
      const endpoint = protocol === 'http' ? collector.otlpHttp : collector.otlpGrpc;
      const common = { protocol, endpoint, service: `${name}-${protocol}`, perSecond: 150, ...key };
      return [
        generateTelemetry('metrics', { ...common, count: 300 }),
        generateTelemetry('traces', { ...common, count: 200 }),
        generateTelemetry('logs', { ...common, count: 250 }),
      ];
    }),
  );
};
const sent = { points: 600, spans: 800, logRecords: 500 };
const times = (factor: number) => ({
  points: sent.points * factor,
  spans: sent.spans * factor,
  logRecords: sent.logRecords * factor,
});

test('sidecar: what telemetrygen sends over HTTP and gRPC, also while Pulse is dead, is there once', async () => {
  const key = await createTenant(pulse, { id: 'isp-sidecar' });
  const collector = await sidecar(key);
  const sending = sendAll(collector, 'first');
  await new Promise((resolve) => setTimeout(resolve, 700));
  await pulse.kill();
  await sending;
  // all of this is acknowledged by the sidecar while nobody is there to take it
  await sendAll(collector, 'second');
  await restartPulse();
  await until(
    () => counts(key),
    (seen) => seen.logRecords >= 1_000 && seen.points >= 1_200 && seen.spans >= 1_600,
    60,
  );
  const own = await until(
    () => collector.metrics(),
    (seen) =>
      seen.sum('otelcol_exporter_sent_metric_points') + seen.sum('otelcol_exporter_sent_metric_points_total') >= 1_200,
  );
  expect(own.all.filter(({ name, value }) => /send_failed|enqueue_failed/.test(name) && value > 0)).toEqual([]);
  expect(await counts(key)).toMatchObject(times(2));
});

test('sidecar: killed with Pulse away, and started again, it sends what it had acknowledged', async () => {
  const key = await createTenant(pulse, { id: 'isp-queue' });
  const collector = await sidecar(key);
  await pulse.kill();
  await sendAll(collector, 'queued');
  collector.kill();
  await restartPulse();
  expect(await counts(key)).toMatchObject({ points: 0, spans: 0, logRecords: 0 });
  await collector.start();
  await until(
    () => counts(key),
    (seen) => seen.logRecords >= 500 && seen.points >= 600 && seen.spans >= 800,
    60,
  );
  expect(await counts(key)).toMatchObject(sent);
});

test('sidecar: host metrics arrive under the conventions, with the resource of the instance', async () => {
  const key = await createTenant(pulse, { id: 'isp-host' });
  await sidecar(key, { HOST_METRICS_INTERVAL: '1s', HOST_METRICS_DELAY: '1s', CLOUD_REGION: 'eu-west' });
  const metrics = () =>
    call<{ items: { name: string; unit: string }[] }>(pulse, '/api/v1/telemetry/metrics', { token: key });
  const { body } = await until(metrics, (seen) =>
    ['system.cpu.time', 'system.memory.usage', 'system.network.io', 'system.cpu.load_average.1m'].every((name) =>
      seen.body.items.some((item) => item.name === name),
    ),
  );
  expect(body.items.find((item) => item.name === 'system.memory.usage')?.unit).toBe('By');
  const range = `metric=system.memory.usage&start=${at(Date.now() - 60_000)}&end=${at(Date.now() + 60_000)}&step=1m&aggregate=max&groupBy=resource.service.name`;
  // a series is written before its points
  const { body: found } = await until(
    () =>
      call<{ series: { attributes: Record<string, string>; points: [number, number][] }[] }>(
        pulse,
        `/api/v1/telemetry/metrics/range?${range}`,
        { token: key },
      ),
    (seen) => seen.body.series.length > 0,
  );
  expect(found).toMatchObject({ unit: 'By' });
  expect(found.series.map((one) => one.attributes['resource.service.name'])).toEqual(['host']);
  expect(found.series[0]?.points[0]?.[1]).toBeGreaterThan(1e6);
});

test('gateway: each tenant’s own credential decides, and a key that Pulse does not know gets a refusal', async () => {
  const collector = await startCollector('gateway.yaml', { PULSE_OTLP_ENDPOINT: pulse.otlpHttp });
  running.push(collector);
  const one = await createTenant(pulse, { id: 'isp-one' });
  const two = await createTenant(pulse, { id: 'isp-two' });
  await Promise.all([
    sendAll(collector, 'one', one),
    generateTelemetry('logs', {
      protocol: 'http',
      endpoint: collector.otlpHttp,
      service: 'two',
      count: 70,
      perSecond: 100,
      apiKey: two,
    }),
  ]);
  // the gateway acknowledges after Pulse has, so nothing is on its way any more
  await until(
    () => counts(one),
    (seen) => seen.logRecords >= 500 && seen.points >= 600 && seen.spans >= 800,
  );
  expect(await counts(one)).toMatchObject(sent);
  await until(
    () => counts(two),
    (seen) => seen.logRecords >= 70,
  );
  expect(await counts(two)).toMatchObject({ points: 0, spans: 0, logRecords: 70 });

  const post = (key: string) =>
    fetch(`${collector.otlpHttp}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({
        resourceLogs: [
          { scopeLogs: [{ logRecords: [{ timeUnixNano: `${Date.now()}000000`, body: { stringValue: 'x' } }] }] },
        ],
      }),
    });
  expect((await post('nobody')).status).toBe(401);
  await pulse.kill();
  // without Pulse nothing is acknowledged: the sidecar behind it keeps its data
  expect((await post(two)).status).toBe(503);
  await restartPulse();
  expect((await post(two)).status).toBe(200);
  await until(
    () => counts(two),
    (seen) => seen.logRecords >= 71,
  );
  expect(await counts(two)).toMatchObject({ logRecords: 71 });
});

test('sidecar behind the gateway: nothing is lost when the gateway and Pulse die', async () => {
  const key = await createTenant(pulse, { id: 'isp-chain' });
  const gateway = await startCollector('gateway.yaml', { PULSE_OTLP_ENDPOINT: pulse.otlpHttp });
  running.push(gateway);
  const collector = await sidecar(key, { PULSE_OTLP_ENDPOINT: gateway.otlpHttp });
  const sending = sendAll(collector, 'chained');
  await new Promise((resolve) => setTimeout(resolve, 500));
  gateway.kill();
  await new Promise((resolve) => setTimeout(resolve, 500));
  await pulse.kill();
  await gateway.start();
  await sending;
  await restartPulse();
  await until(
    () => counts(key),
    (seen) => seen.logRecords >= 500 && seen.points >= 600 && seen.spans >= 800,
    60,
  );
  expect(await counts(key)).toMatchObject(sent);
});
