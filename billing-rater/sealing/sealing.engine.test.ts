import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { pino } from 'pino';
import { accessPlugin, createTenantDirectory, type Principal } from 'streams/access';
import type { Handover, HandoverTotal, Invoice, LineCheck } from 'streams/contract';
import { type Control, createControl } from 'streams/control';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { answerError } from 'streams/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ReconciliationReader } from '../invoicing/reconciliation.ts';
import { alertRoutes } from './alerts-http.ts';
import { createLedgerAlertStore } from './control-ledger-alerts.ts';
import { createSealedPeriodStore } from './control-sealed-periods.ts';
import { sealingRoutes } from './http.ts';
import { createLedgerJob } from './ledger-job.ts';
import { createSealService } from './seal-service.ts';

const actor = { id: 'system:test', correlationId: 'test' };
const everywhere = { kind: 'global' } as const;
const principals: Record<string, Principal> = {
  operator: { role: 'operator', id: 'operator', tenantId: null, partnerId: null, scopes: [] },
  alpha: { role: 'tenant', id: 'key:1', tenantId: 'isp-alpha', partnerId: null, scopes: [] },
};
/** What the ledger, the drafts and the log say; each test sets what it is about. */
const world = { nowMs: 0, wrong: [] as Handover[], lines: [] as LineCheck[], metered: 7, missing: 0 };

const hourOf = (tenant: string, state: Handover['state'], to: Handover['to'] = 'stored'): Handover => ({
  ...{ tenant, signal: 'events', hour: '2026-10-05T10:00:00Z', from: to === 'accepted' ? 'produced' : 'logged', to },
  ...{ counts: { from: 5, to: 4, duplicates: 0 }, sums: { from: '5', to: '4', duplicates: '0' }, state },
});
const reconciliation: ReconciliationReader = {
  async read({ tenants }, { state, limit }) {
    const ids = new Set<string>(tenants.map(({ id }) => id));
    const found = world.wrong.filter((one) => ids.has(one.tenant));
    const totals = found.map((one): HandoverTotal => {
      const { hour: _hour, state: found, ...sides } = one;
      const is = (name: Handover['state']) => (found === name ? 1 : 0);
      return { ...sides, hours: 1, balanced: is('balanced'), pending: is('pending'), mismatched: is('mismatch') };
    });
    const handovers = limit === 0 ? [] : found.filter((one) => state === undefined || one.state === state);
    return { totals, handovers, more: false };
  },
};
const invoice = (tenant: Invoice['tenant']): Invoice => ({
  ...{ id: `draft-${tenant}-2026-10`, tenant, period: '2026-10', start: '', end: '' },
  ...{ state: 'draft', currency: 'USD', timeZone: 'UTC', lines: [], total: '99.00', knownAt: '0:7', asOf: '' },
  rateCard: { id: 'sample-usd', version: 1 },
});
const line = (tenant: string, state: LineCheck['state'] = 'balanced'): LineCheck => ({
  ...{ tenant, invoice: `draft-${tenant}-2026-10`, line: 'api_calls', meter: 'api_calls' },
  ...{ quantity: '12.5', expected: state === 'balanced' ? '12.5' : '12', state },
});

let dir: string;
let control: Control;
let app: FastifyInstance;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulse-sealing-'));
  await copyEmptyControl(join(dir, 'control'));
  control = createControl({
    connection: { kind: 'pglite', dir: join(dir, 'control') },
    logger: pino({ level: 'silent' }),
  });
  await control.start();
  for (const id of ['isp-alpha', 'isp-beta', 'isp-gamma']) {
    await control.mutate(actor, everywhere, async (tx) => {
      const place = { region: 'us-east', currency: 'USD', time_zone: 'UTC', partner_id: null, state: 'active' };
      await tx
        .insertInto('tenants')
        .values({ id, name: id, tier: 'small', plan: 'professional', ...place })
        .execute();
      return { result: undefined, audit: { action: 'tenant.create', resource: `tenant/${id}`, tenantId: id } };
    });
  }
  const tenants = createTenantDirectory(control);
  await tenants.refresh();
  const alerts = createLedgerAlertStore(control);
  const sealing = createSealService({
    reconciliation,
    sealed: createSealedPeriodStore(control),
    lines: async ({ id }) => ({
      lines: world.lines.filter(({ tenant }) => tenant === id),
      invoice: invoice(id as Invoice['tenant']),
    }),
    logEnd: async () => [{ partition: 0, next: 7 }],
    metered: async () => [{ partition: 0, next: world.metered }],
    graceSeconds: 259_200,
    waitSeconds: 1,
    now: () => world.nowMs,
    wait: async (ms) => {
      world.nowMs += ms;
    },
  });
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerError);
  app.register(accessPlugin({ access: { authenticate: async (token) => principals[token] ?? null }, tenants }));
  app.register(sealingRoutes({ tenants, sealing }));
  app.register(alertRoutes({ alerts }));
  await app.ready();
});
afterAll(async () => {
  await app?.close();
  await control?.stop();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => {
  const ids = ['isp-alpha', 'isp-beta', 'isp-gamma'];
  Object.assign(world, {
    nowMs: Date.parse('2026-11-04T00:00:00Z'),
    wrong: [],
    lines: ids.map((id) => line(id)),
    metered: 7,
  });
});

const call = async (method: 'GET' | 'POST', url: string, token = 'operator') => {
  const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${token}` } });
  return { status: answer.statusCode, type: answer.headers['content-type'], body: answer.json() };
};
const close = (tenant?: string, month = '2026-10', token = 'operator') =>
  call('POST', `/api/v1/billing/periods/${month}/close${tenant === undefined ? '' : `?tenant=${tenant}`}`, token);
const rowsOf = (table: 'sealed_periods' | 'outbox' | 'audit_log') =>
  control.read(everywhere, (tx) => tx.selectFrom(table).selectAll().execute());

describe('closing a period', () => {
  test('is refused before its grace is over, for anybody but the operator, and for no month', async () => {
    world.nowMs = Date.parse('2026-11-03T23:59:59Z');
    expect(await close('isp-alpha')).toMatchObject({
      status: 409,
      body: { code: 'billing.period_not_over', field: 'period' },
    });
    expect((await close('isp-alpha', '2026-10', 'alpha')).status).toBe(403);
    expect((await close('isp-alpha', '2026-13')).status).toBe(400);
    expect(await rowsOf('sealed_periods')).toEqual([]);
  });

  test('waits for what was received before it, and says so when metering does not come', async () => {
    world.metered = 6;
    expect(await close('isp-alpha')).toMatchObject({ status: 503, body: { code: 'billing.metering_behind' } });
    expect(await rowsOf('sealed_periods')).toEqual([]);
  });

  test('names the hours that differ or wait and the lines that do not follow; nothing of that tenant is sealed', async () => {
    world.wrong = [hourOf('isp-alpha', 'mismatch'), hourOf('isp-alpha', 'pending', 'rated')];
    const { status, type, body } = await close('isp-alpha');
    expect([status, String(type).split(';')[0], body.code]).toEqual([
      409,
      'application/problem+json',
      'billing.period_unbalanced',
    ]);
    expect(body.open).toMatchObject([
      {
        tenant: 'isp-alpha',
        period: '2026-10',
        open: 2,
        hours: [{ state: 'mismatch' }, { state: 'pending' }],
        lines: [],
      },
    ]);
    world.wrong = [];
    world.lines = [line('isp-alpha', 'mismatch')];
    expect((await close('isp-alpha')).body.open).toMatchObject([
      { open: 0, lines: [{ line: 'api_calls', expected: '12' }] },
    ]);
    expect(await rowsOf('sealed_periods')).toEqual([]);
  });

  test('seals each tenant by itself, with an audit record and one event, and never again', async () => {
    world.wrong = [hourOf('isp-beta', 'mismatch'), hourOf('isp-gamma', 'mismatch', 'accepted')];
    const first = await close();
    expect(first).toMatchObject({
      status: 409,
      body: { open: [{ tenant: 'isp-beta' }], sealed: ['isp-alpha', 'isp-gamma'] },
    });
    world.wrong = [];
    const second = await close();
    expect(second.status).toBe(200);
    expect(second.body.sealed).toMatchObject([
      {
        tenant: 'isp-beta',
        period: '2026-10',
        start: '2026-10-01T00:00:00Z',
        end: '2026-11-01T00:00:00Z',
        sealedBy: 'operator',
        knownAt: '0:7',
      },
    ]);
    expect(second.body.already.map(({ tenant }: { tenant: string }) => tenant).toSorted()).toEqual([
      'isp-alpha',
      'isp-gamma',
    ]);
    const gamma = second.body.already.find(({ tenant }: { tenant: string }) => tenant === 'isp-gamma');
    // What was numbered and never came holds nothing up, and is said.
    expect(gamma.totals).toEqual({
      meters: { api_calls: '12.5' },
      draft: {
        invoice: 'draft-isp-gamma-2026-10',
        total: '99.00',
        currency: 'USD',
        rateCard: { id: 'sample-usd', version: 1 },
      },
      missing: 1,
    });
    expect((await close()).body).toMatchObject({ sealed: [], already: [{}, {}, {}] });
    const events = (await rowsOf('outbox')) as { type: string; tenant_id: string | null }[];
    expect(
      events
        .filter(({ type }) => type === 'usage.sealed')
        .map(({ tenant_id: id }) => id)
        .toSorted(),
    ).toEqual(['isp-alpha', 'isp-beta', 'isp-gamma']);
    const audit = (await rowsOf('audit_log')) as { action: string; resource: string }[];
    expect(audit.filter(({ action }) => action === 'period.seal')).toHaveLength(3);
    await expect(
      control.mutate(actor, everywhere, async (tx) => {
        await tx.deleteFrom('sealed_periods').execute();
        return { result: undefined, audit: { action: 'x', resource: 'x', tenantId: null } };
      }),
    ).rejects.toThrow();
  });
});

describe('alerts of the ledger', () => {
  test('an hour found twice in a row is opened once with its event, seen by its tenant, and resolved when it balances', async () => {
    const looks: number[] = [];
    const job = createLedgerJob({
      ledger: { keep: async () => ({ counted: 0 }) },
      reconciliation,
      alerts: createLedgerAlertStore(control),
      tenants: { list: () => ['isp-alpha', 'isp-beta'].map((id, index) => ({ id, number: index + 1 }) as never) },
      days: 40,
      now: () => world.nowMs,
      onLook: ({ unbalanced }) => looks.push(unbalanced.get('stored') ?? 0),
    });
    /** An hour after the one before: a long look is followed by a rest. */
    const look = () => {
      world.nowMs += 3_600_000;
      return job.runOnce();
    };
    const listed = async (query = '', token = 'operator') =>
      (await call('GET', `/api/v1/alerts${query}`, token)).body.items;
    const types = async () =>
      ((await rowsOf('outbox')) as { type: string }[])
        .map(({ type }) => type)
        .filter((type) => type.startsWith('ledger'));
    world.wrong = [hourOf('isp-alpha', 'mismatch')];
    await look();
    expect(await listed()).toEqual([]);
    await look();
    await look();
    expect(await listed()).toMatchObject([
      {
        kind: 'ledger.unbalanced',
        severity: 'critical',
        tenant: 'isp-alpha',
        state: 'open',
        handover: { hour: '2026-10-05T10:00:00Z' },
      },
    ]);
    expect(await listed('', 'alpha')).toHaveLength(1);
    expect(await listed('?tenant=isp-beta')).toEqual([]);
    expect(await types()).toEqual(['ledger.unbalanced']);
    world.wrong = [];
    await look();
    expect(await listed()).toEqual([]);
    expect(await listed('?state=all')).toMatchObject([{ state: 'resolved' }]);
    expect(await types()).toEqual(['ledger.unbalanced', 'ledger.balanced']);
    expect(looks).toEqual([1, 1, 1, 0]);
  });
});
