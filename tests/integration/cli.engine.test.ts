import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, compileCache, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { inStore, tenantNumbers } from './stopped-data.ts';

const root = join(import.meta.dirname, '../..');
/** One tenant for each way a store can be wrong; `whole` is left alone. */
const tenants = ['whole', 'resent', 'row-lost', 'row-doubled', 'event-lost', 'event-doubled', 'event-changed'] as const;
type Tenant = (typeof tenants)[number];

/** Start of a finished hour: hand-overs of a running one are pending. */
const hourMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 2 * 3_600_000;
const period = new Date(hourMs).toISOString().slice(0, 7);

let pulse: PulseProcess;
let dataDir: string;
const keys = new Map<Tenant, string>();

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command line as a person starts it. */
async function cli(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Run> {
  const child = spawn(join(root, 'node_modules/.bin/pulse'), args, {
    env: {
      ...{ PATH: process.env['PATH'], NODE_COMPILE_CACHE: compileCache },
      ...{ PULSE_URL: pulse.http, PULSE_DATA_DIR: dataDir, ...environment },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const read = async (stream: NodeJS.ReadableStream) => {
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return text;
  };
  const [[code], out, err] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    read(child.stdout),
    read(child.stderr),
  ]);
  return { code, out, err };
}

const reconcile = (...args: string[]) => cli(['reconcile', '--period', period, ...args]);
const json = <T>(run: Run): T => JSON.parse(run.out) as T;

async function send(tenant: Tenant): Promise<void> {
  const token = keys.get(tenant) ?? '';
  const dataPoints = Array.from({ length: 10 }, (_, index) => ({
    timeUnixNano: `${BigInt(hourMs + index * 60_000) * 1_000_000n}`,
    asDouble: 100 + index,
  }));
  const body = {
    resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'dotmac.customers.active', gauge: { dataPoints } }] }] }],
  };
  const events = Array.from({ length: 5 }, (_, index) => ({
    ...{ specversion: '1.0', id: `e${index}`, source: `urn:${tenant}`, type: 'api_calls', subject: 'portal' },
    ...{ time: new Date(hourMs + index * 1000).toISOString(), data: { value: '1000.25' } },
  }));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const metrics = await fetch(`${pulse.otlpHttp}/v1/metrics`, { method: 'POST', headers, body: JSON.stringify(body) });
  const usage = await call(pulse, '/api/v1/plugins/usage-events', { body: events, token });
  expect([metrics.status, usage.status]).toEqual([200, 200]);
}

interface Reconciliation {
  readonly balanced: boolean;
  readonly handovers: readonly {
    readonly tenant: string;
    readonly signal: string;
    readonly from: string;
    readonly to: string;
    readonly counts: { readonly from: number; readonly to: number; readonly duplicates: number };
    readonly sums: { readonly from: string; readonly to: string; readonly duplicates: string } | null;
    readonly state: string;
  }[];
}

beforeAll(async () => {
  pulse = await startPulse();
  dataDir = pulse.dataDir;
  for (const id of tenants) keys.set(id, await createTenant(pulse, { id, name: `ISP ${id}` }));
  for (const id of tenants) await send(id);
  await send('resent');
  await until(
    async () => (await call<Reconciliation>(pulse, `/api/v1/billing/reconciliation?period=${period}`)).body,
    // For each three hand-overs of metrics, two of events, and two of each of their meters.
    ({ handovers }) => handovers.length === tenants.length * 9 && handovers.every(({ state }) => state === 'balanced'),
  );
});
afterAll(async () => {
  await pulse?.stop();
  if (dataDir !== undefined) rmSync(dataDir, { recursive: true, force: true });
});

describe('the command line', () => {
  test('status says what is ready, as text and as JSON', async () => {
    await until(
      () => cli(['status']),
      ({ code }) => code === 0,
    );
    const text = await cli(['status']);
    expect(text.out).toContain(`${pulse.http}: ready`);
    expect(text.out).toMatch(/^ *telemetry-consumer +ready *$/m);
    const status = json<{ ready: boolean; modules: { name: string }[]; tenants: { total: number } }>(
      await cli(['status', '--json']),
    );
    expect([status.ready, status.tenants.total]).toEqual([true, tenants.length]);
    expect(status.modules.map(({ name }) => name)).toContain('ingest');
  });

  test('tenants prints a row each with its customers, as text and as JSON', async () => {
    const { code, out } = await cli(['tenants']);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^ *id +name +state +tier +plan +health +attainment +customers *$/);
    for (const id of tenants) expect(out).toMatch(new RegExp(`^ *${id} +ISP ${id} +active +small +professional`, 'm'));
    const rows = json<{ id: string; state: string }[]>(await cli(['tenants', '--json']));
    expect(rows.map(({ id }) => id)).toEqual(tenants.toSorted());
  });

  test('invoices and the audit chain are there in both forms', async () => {
    const invoices = await cli(['invoices', '--period', period, '--tenant', 'whole']);
    expect([invoices.code, /^ *\S+ +whole +/m.test(invoices.out)]).toEqual([0, true]);
    expect(json<{ tenant: string }[]>(await cli(['invoices', '--period', period, '--json']))).toHaveLength(
      tenants.length,
    );
    const audit = await cli(['audit', 'verify']);
    expect([audit.code, audit.out.includes('ok: true')]).toEqual([0, true]);
    expect(json<{ records: number }>(await cli(['audit', 'verify', '--json'])).records).toBeGreaterThanOrEqual(7);
  });

  test('wrong use ends with 2, a server that is not there and a token that is none with 3', async () => {
    const wrong = await Promise.all([
      cli(['reconcyle']),
      cli(['reconcile', '--nonsense']),
      cli(['tenants', 'create', 'X Y', '--name', 'x']),
    ]);
    expect(wrong.map(({ code }) => code)).toEqual([2, 2, 2]);
    const away = await cli(['reconcile'], { PULSE_URL: 'http://127.0.0.1:9' });
    expect([away.code, away.out]).toEqual([3, '']);
    expect(away.err).toContain('no answer from http://127.0.0.1:9');
    const nobody = await cli(['reconcile'], { PULSE_TOKEN: 'nonsense' });
    expect([nobody.code, nobody.err.includes('access.unauthenticated')]).toEqual([3, true]);
    const unknown = await reconcile('--tenant', 'no-such');
    expect([unknown.code, unknown.out]).toEqual([3, '']);
  });
});

/** What stands against a tenant: hand-over and figures. */
async function mismatchesOf(tenant: Tenant) {
  const run = await reconcile('--tenant', tenant, '--json');
  const { handovers } = json<Reconciliation>(run);
  const mismatches = handovers
    .filter(({ state }) => state === 'mismatch')
    .map(({ signal, from, to, counts, sums }) =>
      `${signal} ${from}→${to} ${counts.from}→${counts.to} ${sums === null ? '' : `${sums.from}→${sums.to}`}`.trim(),
    );
  return { code: run.code, mismatches };
}

describe('reconcile, the oracle of everything else', () => {
  test('says balanced and ends with 0 while nothing is wrong, resends included', async () => {
    const { code, out } = await reconcile();
    expect([code, out.trim().split('\n').at(-1)?.trim()]).toEqual([0, 'balanced']);
    expect(out).toMatch(/^ *resent +metrics +logged → stored +1 +20 +10 +10 +0 +balanced *$/m);
    expect(json<Reconciliation>(await reconcile('--json')).balanced).toBe(true);
  });

  test('finds a lost row, a doubled row, and a lost, doubled or altered usage event, and ends with 1', async () => {
    expect(await pulse.stop()).toBe(0);
    const numbers = await tenantNumbers(dataDir);
    const of = (id: Tenant) => `tenant = ${numbers.get(id)}`;
    const now = 'SETTINGS mutations_sync = 1';
    const minute = `toDateTime64('${new Date(hourMs + 120_000).toISOString().replace('T', ' ').replace('Z', '')}', 3, 'UTC')`;
    await inStore(dataDir, async (store) => {
      // The inner SELECT keeps the new name out of the condition.
      await store.execute(`ALTER TABLE samples DELETE WHERE ${of('row-lost')} AND time = ${minute} ${now}`);
      await store.execute(
        `INSERT INTO samples SELECT * REPLACE (time + toIntervalMillisecond(1) AS time) FROM (SELECT * FROM samples WHERE ${of('row-doubled')} AND time = ${minute})`,
      );
      await store.execute(`ALTER TABLE usage_events DELETE WHERE ${of('event-lost')} AND id = 'e1' ${now}`);
      await store.execute(
        `INSERT INTO usage_events SELECT * REPLACE ('again' AS id) FROM (SELECT * FROM usage_events WHERE ${of('event-doubled')} AND id = 'e1')`,
      );
      await store.execute(
        `ALTER TABLE usage_events UPDATE value = value + 0.000000000001 WHERE ${of('event-changed')} AND id = 'e1' ${now}`,
      );
      // Byte for byte the same row once more is the same record, by its identity, and no doubling.
      await store.execute(`INSERT INTO samples SELECT * FROM samples WHERE ${of('whole')} AND time = ${minute}`);
    });
    pulse = await startPulse({ dataDir });

    const all = await reconcile();
    expect(all.code).toBe(1);
    expect(all.out).toContain('NOT BALANCED: 11 hand-over(s) differ');
    expect(all.out).toMatch(/^ *MISMATCH row-lost metrics .* logged 10 → stored 9, duplicates 0 *$/m);

    const found = Object.fromEntries(
      await Promise.all(tenants.map(async (id) => [id, await mismatchesOf(id)] as const)),
    );
    expect(found).toEqual({
      whole: { code: 0, mismatches: [] },
      resent: { code: 0, mismatches: [] },
      'row-lost': {
        code: 1,
        mismatches: [
          'active_customers stored→rated 9→10 154200→154260',
          'metrics logged→stored 10→9',
          'metrics stored→rolled_up 9→10',
        ],
      },
      'row-doubled': { code: 1, mismatches: ['metrics logged→stored 10→11', 'metrics stored→rolled_up 11→10'] },
      'event-lost': {
        code: 1,
        mismatches: ['api_calls stored→rated 4→5 4001→5001.25', 'events logged→stored 5→4 5001.25→4001'],
      },
      'event-doubled': {
        code: 1,
        mismatches: ['api_calls stored→rated 6→5 6001.5→5001.25', 'events logged→stored 5→6 5001.25→6001.5'],
      },
      'event-changed': {
        code: 1,
        mismatches: [
          'api_calls stored→rated 5→5 5001.250000000001→5001.25',
          'events logged→stored 5→5 5001.25→5001.250000000001',
        ],
      },
    });
  });

  test('ends with 3 and no verdict when its reading fails', async () => {
    expect(await pulse.stop()).toBe(0);
    await inStore(dataDir, (store) => store.execute('RENAME TABLE summaries TO summaries_away'));
    pulse = await startPulse({ dataDir });
    const broken = await reconcile();
    expect([broken.code, broken.out]).toEqual([3, '']);
    expect(broken.err).toContain('billing.ledger_unreadable');
    expect(await pulse.stop()).toBe(0);
    const stopped = await reconcile();
    expect([stopped.code, stopped.out]).toEqual([3, '']);
  });
});
