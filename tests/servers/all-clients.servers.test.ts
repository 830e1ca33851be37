import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { freePort } from './clients/free-port.ts';
import { generateTelemetry, installCollector, type OtelCollector, startCollector } from './clients/otel-collector.ts';
import { installPrometheus, type PrometheusServer, startPrometheus } from './clients/prometheus.ts';

/** The full form is two minutes: `PULSE_TEST_SECONDS=120 npm run test:servers -- tests/servers/all-clients`. */
const seconds = Number(process.env['PULSE_TEST_SECONDS'] ?? 30);
/** Between two kills; the direct bursts of telemetrygen, which gives up after some tries, lie in it. */
const aliveMs = { least: 1_000, most: 7_000 };

interface Counts {
  readonly points: number;
  readonly spans: number;
  readonly logRecords: number;
}

const started = Date.now();
const clients = ['collector', 'prom-one', 'prom-two', 'sdk', 'direct'] as const;
type Client = (typeof clients)[number];
let pulse: PulseProcess;
let environment: Record<string, string>;
let collector: OtelCollector;
const prometheus: PrometheusServer[] = [];
const keys = new Map<Client, string>();
const key = (client: Client) => keys.get(client) ?? '';

beforeAll(async () => {
  await installPrometheus();
  await installCollector();
  environment = {
    PULSE_HTTP_PORT: `${await freePort()}`,
    PULSE_OTLP_HTTP_PORT: `${await freePort()}`,
    PULSE_OTLP_GRPC_PORT: `${await freePort()}`,
  };
  pulse = await startPulse({ environment });
  for (const client of clients) keys.set(client, await createTenant(pulse, { id: `isp-${client}` }));
}, 1_800_000);
afterAll(async () => {
  for (const server of prometheus) {
    await server.stop();
    server.remove();
  }
  await collector?.stop();
  collector?.remove();
  await pulse?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
});

async function counts(client: Client): Promise<Counts> {
  const instant = (ms: number) => new Date(ms).toISOString();
  const range = `start=${instant(started - 3_600_000)}&end=${instant(Date.now() + 3_600_000)}`;
  const { body } = await call<Counts & Record<string, unknown>>(pulse, `/api/v1/telemetry/counts?${range}`, {
    token: key(client),
  });
  return { points: body.points, spans: body.spans, logRecords: body.logRecords };
}

/** All that is sent around the sidecar, in bursts while Pulse lives: 2 × 40 points, 2 × 2 × 30 spans, 2 × 50 log records. */
const burst = { points: 80, spans: 120, logRecords: 100 };
async function sendBurst(number: number): Promise<void> {
  await Promise.all(
    (['http', 'grpc'] as const).flatMap((protocol) => {
      const endpoint = protocol === 'http' ? pulse.otlpHttp : pulse.otlpGrpc;
      const common = {
        protocol,
        endpoint,
        apiKey: key('direct'),
        service: `burst-${number}-${protocol}`,
        perSecond: 100,
      };
      return [
        generateTelemetry('metrics', { ...common, count: 40 }),
        generateTelemetry('traces', { ...common, count: 30 }),
        generateTelemetry('logs', { ...common, count: 50 }),
      ];
    }),
  );
}

/** A steady stream through the sidecar over both protocols, for the whole time and right through the kills. */
async function sendThroughSidecar(): Promise<Counts> {
  const rate = 100;
  const count = rate * seconds;
  await Promise.all(
    (['http', 'grpc'] as const).flatMap((protocol) => {
      const endpoint = protocol === 'http' ? collector.otlpHttp : collector.otlpGrpc;
      const common = { protocol, endpoint, service: `steady-${protocol}`, perSecond: rate, count };
      return (['metrics', 'traces', 'logs'] as const).map((signal) => generateTelemetry(signal, common));
    }),
  );
  return { points: 2 * count, spans: 4 * count, logRecords: 2 * count };
}

/** A program with the JavaScript SDK in a process of its own; answers its own ledger. */
async function runSdk(): Promise<Counts & { readonly tries: number }> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'clients/sdk-process.ts'), pulse.otlpHttp, key('sdk'), `${seconds}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.on('data', (part: Buffer) => {
    output += part.toString();
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the SDK's process ended with ${code}`);
  return JSON.parse(output) as Counts & { tries: number };
}

/** SIGKILLs at random moments until the time is over; answers how many. */
async function killAgainAndAgain(): Promise<{ kills: number; bursts: number }> {
  const end = Date.now() + seconds * 1000;
  let kills = 0;
  let bursts = 0;
  while (Date.now() < end) {
    await sendBurst(bursts);
    bursts += 1;
    await sleep(aliveMs.least + Math.random() * (aliveMs.most - aliveMs.least));
    await pulse.kill();
    kills += 1;
    await sleep(Math.random() * 1_500);
    pulse = await startPulse({ dataDir: pulse.dataDir, environment });
  }
  return { kills, bursts };
}

/** Prometheus' own account. `samples_total` counts tries; every sample that it scraped stands in its own database too. */
async function accountOf(server: PrometheusServer): Promise<Record<string, number>> {
  const own = await server.metrics();
  const of = (name: string) => own.sum(`prometheus_remote_storage_${name}`);
  return {
    sent: of('samples_total') + of('histograms_total') - of('samples_retried_total') - of('histograms_retried_total'),
    retried: of('samples_retried_total') + of('histograms_retried_total'),
    lost: of('samples_failed_total') + of('samples_dropped_total') + of('histograms_failed_total'),
    pending: of('samples_pending') + of('histograms_pending'),
    scraped: own.sum('prometheus_tsdb_head_samples_appended_total'),
  };
}

async function accountOfSidecar(): Promise<{ sent: Counts; lost: number; queued: number; host: number }> {
  const own = await collector.metrics();
  // with or without the suffix that the text format asks of counters
  const of = (name: string, labels = {}) =>
    own.sum(`otelcol_${name}`, labels) + own.sum(`otelcol_${name}_total`, labels);
  const lost = ['send', 'enqueue'].flatMap((step) =>
    ['metric_points', 'spans', 'log_records'].map((items) => of(`exporter_${step}_failed_${items}`)),
  );
  return {
    sent: {
      points: of('exporter_sent_metric_points'),
      spans: of('exporter_sent_spans'),
      logRecords: of('exporter_sent_log_records'),
    },
    lost: lost.reduce((sum, one) => sum + one, 0),
    queued: own.sum('otelcol_exporter_queue_size'),
    host: of('receiver_accepted_metric_points', { receiver: 'host_metrics' }),
  };
}

test(`all real clients at once for ${seconds} s while Pulse is killed: every count is its source's`, async () => {
  collector = await startCollector('sidecar.yaml', {
    PULSE_OTLP_ENDPOINT: pulse.otlpHttp,
    PULSE_API_KEY: key('collector'),
    RETRY_MAX_INTERVAL: '1s',
    HOST_METRICS_INTERVAL: '5s',
  });
  const startedMs = Date.now();
  const writeUrl = `${pulse.http}/api/v1/write`;
  for (const [protocol, client] of [
    [1, 'prom-one'],
    [2, 'prom-two'],
  ] as const) {
    prometheus.push(await startPrometheus({ port: await freePort(), url: writeUrl, apiKey: key(client), protocol }));
  }
  const [{ kills, bursts }, steady, sdk] = await Promise.all([killAgainAndAgain(), sendThroughSidecar(), runSdk()]);
  for (const server of prometheus) server.stopScraping();
  const sentMs = Date.now() - startedMs;

  const table: Record<string, unknown>[] = [];
  // Prometheus, versions 1 and 2: sent = scraped, nothing lost, and stored
  for (const [index, client] of (['prom-one', 'prom-two'] as const).entries()) {
    const server = prometheus[index];
    if (server === undefined) throw new Error('not started');
    const { own, stored } = await until(
      async () => ({ own: await accountOf(server), stored: await counts(client) }),
      (seen) =>
        seen.own['pending'] === 0 &&
        seen.own['sent'] === seen.own['scraped'] &&
        seen.stored.points === seen.own['sent'],
      60,
    );
    table.push({ client, ...own, stored: stored.points });
    expect(own['lost']).toBe(0);
    expect(own['sent']).toBeGreaterThan(seconds * 100);
  }
  // the sidecar: telemetrygen's numbers and its host's, at a moment between two readings of the host
  const { own, stored } = await until(
    async () => ({ own: await accountOfSidecar(), stored: await counts('collector') }),
    (seen) =>
      seen.own.queued === 0 &&
      seen.stored.points === seen.own.sent.points &&
      seen.stored.points === steady.points + seen.own.host,
    60,
  );
  table.push({ client: 'collector', sent: own.sent, host: own.host, stored });
  expect(own.lost).toBe(0);
  expect(own.host).toBeGreaterThan(0);
  expect(stored).toEqual({ ...steady, points: steady.points + own.host });
  expect(own.sent).toEqual(stored);
  // the SDK and the bursts past the sidecar
  const { tries, ...ledger } = sdk;
  const direct = { points: burst.points * bursts, spans: burst.spans * bursts, logRecords: burst.logRecords * bursts };
  for (const [client, expected] of [
    ['sdk', ledger],
    ['direct', direct],
  ] as const) {
    await until(
      () => counts(client),
      (seen) => seen.logRecords >= expected.logRecords && seen.points >= expected.points,
      30,
    );
    const seen = await counts(client);
    table.push({ client, sent: expected, stored: seen, ...(client === 'sdk' ? { tries } : {}) });
    expect(seen).toEqual(expected);
  }
  expect(kills).toBeGreaterThanOrEqual(2);
  const inSeconds = (ms: number) => (ms / 1000).toFixed(1);
  process.stdout.write(
    `${kills} kills in ${seconds} s; all sent after ${inSeconds(sentMs)} s, all equal after ${inSeconds(Date.now() - startedMs)} s\n${table.map((row) => JSON.stringify(row)).join('\n')}\n`,
  );
}, 900_000);
