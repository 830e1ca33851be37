import { rmSync } from 'node:fs';
import { logBodies, startReceiver, type TestReceiver } from 'streams/forwarding/test-receiver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createTenant, metricSum, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { installCollector, type OtelCollector, startCollector } from './clients/otel-collector.ts';

let receiver: TestReceiver;
let collector: OtelCollector;
let pulse: PulseProcess;

const start = (dataDir?: string) =>
  startPulse({
    ...(dataDir !== undefined && { dataDir }),
    environment: {
      PULSE_FORWARD_OTLP_ENDPOINT: collector.otlpHttp,
      PULSE_FORWARD_OTLP_HEADERS: 'authorization=Bearer%20x',
    },
  });

beforeAll(async () => {
  await installCollector();
  // Behind the real collector: it answers what this one answered, and this one counts.
  receiver = await startReceiver();
  collector = await startCollector('gateway.yaml', { PULSE_OTLP_ENDPOINT: receiver.endpoint.replace(/\/$/, '') });
  pulse = await start();
});
afterAll(async () => {
  await pulse?.stop();
  await collector?.stop();
  collector?.remove();
  await receiver?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
});

const accepted: string[] = [];
let number = 0;
async function send(tenant: string, key: string): Promise<void> {
  const bodies = Array.from({ length: 3 }, () => `record-${++number}`);
  const logRecords = bodies.map((stringValue) => ({ timeUnixNano: `${Date.now()}000000`, body: { stringValue } }));
  const response = await fetch(`${pulse.otlpHttp}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }),
  }).catch(() => null);
  if (response?.status === 200) accepted.push(...bodies.map((body) => `${tenant}/${body}`));
}

test('what Pulse accepted passes a real collector at least once and under its tenant, over kills of both; nothing is invented', async () => {
  const keys = {
    'isp-one': await createTenant(pulse, { id: 'isp-one' }),
    'isp-two': await createTenant(pulse, { id: 'isp-two' }),
  };
  const burst = async (requests: number) => {
    for (let index = 0; index < requests; index++)
      for (const [tenant, key] of Object.entries(keys)) await send(tenant, key);
  };
  await burst(20);
  await until(
    async () => receiver.taken.length,
    (taken) => taken > 0,
  );
  collector.kill();
  await burst(20);
  // Taken in while nobody takes it out: ingest does not wait for the receiver.
  await until(
    () => metricSum(pulse, 'pulse_forwarding_holding'),
    (holding) => holding === 1,
  );
  await pulse.kill();
  pulse = await start(pulse.dataDir);
  await burst(10);
  await collector.start();
  await burst(10);
  const arrived = await until(
    async () => new Set(logBodies(receiver.taken)),
    (seen) => accepted.every((record) => seen.has(record)),
    60,
  );
  expect(accepted.length).toBe(60 * 2 * 3);
  expect([...arrived].sort()).toEqual([...accepted].sort());
  await until(
    () => metricSum(pulse, 'pulse_forwarding_lag_records'),
    (lag) => lag === 0,
  );
  const { body } = await call<{ logRecords: number }>(
    pulse,
    `/api/v1/telemetry/counts?tenant=isp-one&start=${new Date(Date.now() - 3_600_000).toISOString()}&end=${new Date(Date.now() + 3_600_000).toISOString()}`,
  );
  expect(body.logRecords).toBe(180);
});

test('service levels go out as metrics of their tenant, through the collector', async () => {
  const key = await createTenant(pulse, { id: 'isp-level' });
  const at = Date.now();
  for (let minute = 10; minute >= 0; minute--) {
    await call(pulse, '/api/v1/monitoring/health-checks', {
      token: key,
      body: {
        checks: [{ component: 'radius', status: 'up', checkedAt: new Date(at - minute * 60_000).toISOString() }],
      },
    });
  }
  const { attainment } = await until(
    async () =>
      (
        await call<{ attainment: number | null }>(
          pulse,
          `/api/v1/analytics/sla?tenant=isp-level&period=${new Date().toISOString().slice(0, 7)}`,
        )
      ).body,
    (report) => report.attainment === 1,
    60,
  );
  expect(attainment).toBe(1);
  // Rounds are a minute apart; a restart begins with one.
  await pulse.stop();
  pulse = await start(pulse.dataDir);
  const sent = () =>
    receiver.taken.filter(
      ({ path, body }) => path === '/v1/metrics' && body.includes('pulse.sla.attainment') && body.includes('isp-level'),
    );
  await until(
    async () => sent().length,
    (count) => count > 0,
    30,
  );
  expect(sent()[0]?.body.includes('pulse.error_budget.remaining')).toBe(true);
});
