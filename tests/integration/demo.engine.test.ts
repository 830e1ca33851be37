import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { type EvidenceRow, recompute, scaled } from './evidence-oracle.ts';

interface Line {
  readonly item: string;
  readonly quantity: string;
  readonly aggregation: string;
  readonly evidence: string;
}
interface Invoice {
  readonly id: string;
  readonly tenant: string;
  readonly lines: readonly Line[];
}
interface Evidence {
  readonly aggregate: string;
  readonly quantity: string;
  readonly rows: EvidenceRow[];
  readonly nextCursor: string | null;
}

const environment = {
  PULSE_DEMO: 'on',
  PULSE_DEMO_DAYS: '2',
  PULSE_DEMO_TENANTS: '3',
  PULSE_AGENT: 'on',
  PULSE_LOG_LEVEL: 'info',
};
let pulse: PulseProcess;

beforeAll(async () => {
  pulse = await startPulse({ environment });
  await until(
    async () => pulse.output(),
    (output) => output.includes('history 100 %'),
    90,
  );
});
afterAll(async () => {
  await pulse?.stop();
  rmSync(pulse.dataDir, { recursive: true, force: true });
});

async function allRows(link: string): Promise<Evidence> {
  const first = await call<Evidence>(pulse, link);
  expect(first.status, link).toBe(200);
  const rows = [...first.body.rows];
  for (let cursor = first.body.nextCursor; cursor !== null; ) {
    const next = await call<Evidence>(pulse, `${link}&cursor=${encodeURIComponent(cursor)}`);
    rows.push(...next.body.rows);
    cursor = next.body.nextCursor;
  }
  return { ...first.body, rows };
}

describe('the demo fleet', () => {
  test('has its simulated tenants and this machine, measured', async () => {
    const fleet = await until(
      async () =>
        (
          await call<{ items: { tenant: { id: string }; health: string; attainment: number | null }[] }>(
            pulse,
            '/api/v1/analytics/fleet',
          )
        ).body,
      (body) =>
        (body.items?.length ?? 0) === 4 &&
        body.items.every(({ attainment, health }) => attainment !== null && health !== 'unmeasured'),
      60,
    );
    expect(fleet.items.map(({ tenant }) => tenant.id)).toContain('this-machine');
  });

  test('each tenant has at least 40 series, spans, logs and usage events', async () => {
    const range = `start=${new Date(Date.now() - 5 * 86_400_000).toISOString()}&end=${new Date().toISOString()}`;
    for (const tenant of ['isp-alpha', 'isp-beta', 'isp-gamma']) {
      const metrics = await call<{ items: { series: number }[] }>(pulse, `/api/v1/telemetry/metrics?tenant=${tenant}`);
      expect(metrics.body.items.reduce((total, { series }) => total + series, 0)).toBeGreaterThanOrEqual(40);
      const counts = await call<Record<string, number>>(pulse, `/api/v1/telemetry/counts?tenant=${tenant}&${range}`);
      for (const kind of ['points', 'spans', 'logRecords', 'usageEvents'])
        expect(counts.body[kind], `${tenant} ${kind}`).toBeGreaterThan(0);
    }
  });

  test('every line of every draft invoice follows exactly from the rows its evidence link returns', async () => {
    const invoices = await until(
      async () => (await call<{ items: Invoice[] }>(pulse, '/api/v1/billing/invoices')).body.items,
      (items) =>
        items.filter(({ lines }) => lines.some(({ item, quantity }) => item === 'active_customers' && quantity !== '0'))
          .length >= 3,
      60,
    );
    let checked = 0;
    for (const { id, lines } of invoices) {
      for (const line of lines) {
        const evidence = await allRows(line.evidence);
        expect(evidence.aggregate).toBe(line.aggregation);
        expect(evidence.quantity, `${id} ${line.item}`).toBe(line.quantity);
        expect(recompute(evidence.aggregate, evidence.rows), `${id} ${line.item}`).toBe(scaled(line.quantity));
        checked += 1;
      }
    }
    expect(checked).toBeGreaterThanOrEqual(4 * 4);
  });

  test('the ledger of the whole month balances', async () => {
    const { balanced } = await until(
      async () => (await call<{ balanced: boolean }>(pulse, '/api/v1/billing/reconciliation')).body,
      (body) => body.balanced,
      60,
    );
    expect(balanced).toBe(true);
  });

  test('a second start reuses the data and sends no history again', async () => {
    const before = await call<{ items: Invoice[] }>(pulse, '/api/v1/billing/invoices');
    expect(await pulse.stop()).toBe(0);
    pulse = await startPulse({ environment, dataDir: pulse.dataDir });
    const { body } = await call<{ items: { id: string }[] }>(pulse, '/api/v1/tenants');
    expect(body.items.map(({ id }) => id)).toEqual(['isp-alpha', 'isp-beta', 'isp-gamma', 'this-machine']);
    const after = await call<{ items: Invoice[] }>(pulse, '/api/v1/billing/invoices');
    expect(after.body.items.map(({ id }) => id)).toEqual(before.body.items.map(({ id }) => id));
  });
});
