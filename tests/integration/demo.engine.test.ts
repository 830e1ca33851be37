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
/** How long the history may take to be stored and metered on a machine that does other things as well. */
const patience = { seconds: 200, timeout: 220_000 } as const;

beforeAll(async () => {
  pulse = await startPulse({ environment });
  await until(
    async () => pulse.output(),
    (output) => output.includes('history 100 %'),
    patience.seconds,
  );
}, patience.timeout);
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
  test('has its simulated tenants and this machine, measured', { timeout: patience.timeout }, async () => {
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
      patience.seconds,
    );
    expect(fleet.items.map(({ tenant }) => tenant.id)).toContain('this-machine');
  });

  test('each tenant has at least 40 series, spans, logs and usage events', { timeout: patience.timeout }, async () => {
    const range = `start=${new Date(Date.now() - 5 * 86_400_000).toISOString()}&end=${new Date().toISOString()}`;
    for (const tenant of ['isp-alpha', 'isp-beta', 'isp-gamma']) {
      const series = await until(
        async () =>
          (
            await call<{ items: { series: number }[] }>(pulse, `/api/v1/telemetry/metrics?tenant=${tenant}`)
          ).body.items.reduce((total, item) => total + item.series, 0),
        (found) => found >= 40,
        patience.seconds,
      );
      expect(series).toBeGreaterThanOrEqual(40);
      // The history is on the log when it is said to be complete; the tables follow.
      const { body } = await until(
        () => call<Record<string, number>>(pulse, `/api/v1/telemetry/counts?tenant=${tenant}&${range}`),
        (answer) => ['points', 'spans', 'logRecords', 'usageEvents'].every((kind) => Number(answer.body[kind]) > 0),
        patience.seconds,
      );
      for (const kind of ['points', 'spans', 'logRecords', 'usageEvents'])
        expect(body[kind], `${tenant} ${kind}`).toBeGreaterThan(0);
    }
  });

  test('every line of every draft invoice follows exactly from the rows its evidence link returns', {
    timeout: patience.timeout + 60_000,
  }, async () => {
    const invoices = await until(
      async () => (await call<{ items: Invoice[] }>(pulse, '/api/v1/billing/invoices')).body.items,
      (items) =>
        items.filter(({ lines }) => lines.some(({ item, quantity }) => item === 'active_customers' && quantity !== '0'))
          .length >= 3,
      patience.seconds,
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

  test('the ledger of the whole month balances', { timeout: patience.timeout }, async () => {
    const { balanced } = await until(
      async () => (await call<{ balanced: boolean }>(pulse, '/api/v1/billing/reconciliation')).body,
      (body) => body.balanced,
      patience.seconds,
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
