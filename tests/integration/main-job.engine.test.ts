import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';

let pulse: PulseProcess;
let key: string;

beforeAll(async () => {
  pulse = await startPulse({ firstStart: true });
  key = await createTenant(pulse, { id: 'isp-one', tier: 'small', plan: 'enterprise', timeZone: 'UTC' });
});
afterAll(async () => {
  expect(await pulse?.stop()).toBe(0);
});

const range = () =>
  `start=${new Date(Date.now() - 3_600_000).toISOString()}&end=${new Date(Date.now() + 3_600_000).toISOString()}`;
const month = () => new Date().toISOString().slice(0, 7);

/** Runs the program of an ISP container: the plain OpenTelemetry SDK with an endpoint and a key, nothing else. */
async function runContainer(): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'isp-container.js')], {
    env: {
      PATH: process.env['PATH'],
      OTEL_EXPORTER_OTLP_ENDPOINT: pulse.otlpHttp,
      OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${key}`,
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_TRACES_EXPORTER: 'otlp',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
}

describe('the main job', () => {
  test('what a plain OpenTelemetry program sends is counted exactly', async () => {
    await runContainer();
    const counts = await until(
      async () => (await call(pulse, `/api/v1/telemetry/counts?${range()}`, { token: key })).body,
      (body) => body['logRecords'] === 7 && body['spans'] === 5 && body['points'] === 2,
    );
    expect(counts).toEqual({ points: 2, spans: 5, logRecords: 7, usageEvents: 0 });
  });

  test('usage events are counted once, also when they are sent again', async () => {
    const events = Array.from({ length: 20 }, (_, index) => ({
      specversion: '1.0',
      id: `e${index}`,
      source: 'urn:isp-one',
      type: 'api_calls',
      subject: 'portal',
      time: new Date(Date.now() - index * 1000).toISOString(),
      data: { value: '10000.5' },
    }));
    for (let round = 0; round < 3; round += 1) {
      const { status } = await call(pulse, '/api/v1/plugins/usage-events', { body: events, token: key });
      expect(status).toBe(200);
    }
    const usage = await until(
      async () =>
        (
          await call<{ meters: { meter: string; quantity: string }[] }>(
            pulse,
            `/api/v1/billing/usage?period=${month()}`,
            { token: key },
          )
        ).body,
      (body) => body.meters?.some(({ meter, quantity }) => meter === 'api_calls' && Number(quantity) > 0),
    );
    expect(Number(usage.meters.find(({ meter }) => meter === 'api_calls')?.quantity)).toBe(200_010);
  });

  test('a service level follows from the health status', async () => {
    const { status, body } = await call(pulse, `/api/v1/analytics/sla?period=${month()}`, { token: key });
    expect(status).toBe(200);
    expect(body).toMatchObject({ tenant: 'isp-one', attainment: 1, measuredSeconds: 60 });
  });

  test('a draft invoice follows from the usage, and every line shows its evidence', async () => {
    const path = `/api/v1/billing/invoices?period=${month()}`;
    const { body } = await call<{
      items: { tenant: string; total: string; lines: { item: string; amount: string; evidence: string }[] }[];
    }>(pulse, path, { token: key });
    expect(body.items.map(({ tenant }) => tenant)).toEqual(['isp-one']);
    const lines = body.items[0]?.lines ?? [];
    // 200,010 calls: 100,000 included, the other 100,010 are 101 started thousands at 0.40.
    expect(lines.find(({ item }) => item === 'api_calls')?.amount).toBe('40.40');
    for (const line of lines) {
      const evidence = await call(pulse, line.evidence, { token: key });
      expect(evidence.status, line.evidence).toBe(200);
    }
  });

  test('the ledger balances from accepted to stored', async () => {
    const { body } = await call<{ balanced: boolean; handovers: unknown[] }>(
      pulse,
      `/api/v1/billing/reconciliation?period=${month()}`,
    );
    expect(body.handovers.length).toBeGreaterThan(0);
    expect(body.balanced).toBe(true);
  });

  test('another tenant sees nothing of it and cannot name it', async () => {
    const other = await createTenant(pulse, { id: 'isp-two' });
    const own = await call(pulse, `/api/v1/telemetry/counts?${range()}`, { token: other });
    expect(own.body).toEqual({ points: 0, spans: 0, logRecords: 0, usageEvents: 0 });
    const foreign = await call(pulse, `/api/v1/telemetry/counts?tenant=isp-one&${range()}`, { token: other });
    const unknown = await call(pulse, `/api/v1/telemetry/counts?tenant=no-such&${range()}`, { token: other });
    expect([foreign.status, unknown.status]).toEqual([403, 403]);
  });
});
