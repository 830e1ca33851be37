import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { pino } from 'pino';
import { accessPlugin, createTenantDirectory, type Principal } from 'streams/access';
import { AppError, Decimal, Invoice, LineEvidence, Reconciliation, UsageReport } from 'streams/contract';
import { type Control, createControl } from 'streams/control';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { answerError } from 'streams/runtime';
import { createChdbStore, type Store } from 'streams/store';
import { copyEmptyStore } from 'streams/store/test-store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createClickHouseMeteringStore } from '../metering/clickhouse-metering-store.ts';
import { createClickHouseQualityReader } from '../metering/clickhouse-quality-reader.ts';
import { createClickHouseUsageReader } from '../metering/clickhouse-usage-reader.ts';
import { runMetering } from '../metering/metering-job.ts';
import { sampleRateCards } from '../rating/index.ts';
import { createBillingLedger } from './billing-ledger.ts';
import { createSubscriptionReader } from './control-subscription-reader.ts';
import { invoiceRoutes, usageRoutes } from './http.ts';
import { createInvoiceService } from './invoice-service.ts';
import { createPeriodFactsReader, readLineChecks } from './line-check.ts';
import { qualityRoutes } from './quality-http.ts';
import { rateCardRoutes } from './rate-card-http.ts';
import { createRateCardStore } from './rate-card-store.ts';
import { createReconciliation } from './reconciliation.ts';
import { reconciliationRoutes } from './reconciliation-http.ts';

const logger = pino({ level: 'silent' });
/** 2026-11-21T12:00Z. */
const now = Date.parse('2026-11-21T12:00:00Z');
const clock = { now: () => now };
const start = Date.parse('2026-11-01T00:00:00Z') / 1000;
const actor = { id: 'system:test', correlationId: 'test' };

let dir: string;
let store: Store;
let control: Control;
let app: FastifyInstance;
let next = 0;
let unreadable = false;

const principals: Record<string, Principal> = {
  operator: { role: 'operator', id: 'operator', tenantId: null, partnerId: null, scopes: [] },
  alpha: { role: 'tenant', id: 'key:1', tenantId: 'isp-alpha', partnerId: null, scopes: [] },
};

async function addTenant(id: string): Promise<number> {
  return control.mutate(actor, { kind: 'global' }, async (tx) => {
    const row = await tx
      .insertInto('tenants')
      .values({
        id,
        name: id,
        tier: 'small',
        plan: 'professional',
        region: 'us-east',
        currency: 'USD',
        time_zone: 'UTC',
        partner_id: null,
        state: 'active',
      })
      .returning('number')
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('subscriptions')
      .values({
        id: `sub-${id}`,
        tenant_id: id,
        tier: 'small',
        plan: 'professional',
        valid_from: '2026-11-16T00:00:00Z',
        valid_to: null,
      })
      .execute();
    return { result: row.number, audit: { action: 'tenant.create', resource: `tenant/${id}`, tenantId: id } };
  });
}

async function touch(signal: string, tenant: number, hour: number, records: number, sum = '0'): Promise<number> {
  const seq = next;
  next += 1;
  await store.execute(
    `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, accepted_sum, logged_sum, seq, partition)
     SELECT {token:String}, {signal:String}, {tenant:UInt32}, toDateTime({hour:UInt32}, 'UTC'), {records:UInt64}, {records:UInt64}, toDecimal128({sum:String}, 12), toDecimal128({sum:String}, 12), {seq:UInt64}, 0`,
    { token: `t-${seq}`, signal, tenant, hour, records, sum, seq },
  );
  return seq;
}

async function fill(tenant: number): Promise<void> {
  const seq = await touch('events', tenant, start, 4, '150000.5');
  for (const [id, type, second, value] of [
    ['a', 'api_calls', start + 1, '150000'],
    ['b', 'api_calls', start + 1000, '0.25'],
    ['c', 'api_calls', start + 2000, '0.125'],
    ['d', 'payment_transaction', start + 2000, '0.125'],
  ] as const) {
    await store.execute(
      `INSERT INTO usage_events (tenant, type, source, id, subject, time, received, value, partition, offset)
       SELECT {tenant:UInt32}, {type:String}, '/isp', {id:String}, 'portal', toDateTime64({second:UInt32}, 3, 'UTC'), now64(3), toDecimal128({value:String}, 12), 0, {seq:UInt64}`,
      { tenant, type, id, second, value, seq },
    );
  }
  await touch('metrics', tenant, start, 4);
  for (const [series, metric] of [
    [1, 'dotmac.customers.active'],
    [2, 'dotmac.storage.usage'],
  ] as const) {
    await store.execute(
      `INSERT INTO series (tenant, metric, series, kind) SELECT {tenant:UInt32}, {metric:String}, {series:UInt64}, 'gauge'`,
      { tenant, metric, series },
    );
    // 610 for 600 s, then 611 for the 900 s that a value holds; storage 333,333,333,333 B a unit
    for (const [second, value] of [
      [start + 60, 610],
      [start + 660, 611],
    ] as const) {
      await store.execute(
        `INSERT INTO samples (tenant, series, time, value, retention_days)
         SELECT {tenant:UInt32}, {series:UInt64}, toDateTime64({second:UInt32}, 3, 'UTC'), {value:Float64}, 400`,
        { tenant, series, second, value: series === 1 ? value : value * 333_333_333_333 },
      );
    }
  }
}

const rowsOf = (sql: string) =>
  store.query({ name: 'ad-hoc', sql, params: z.object({}), row: z.object({ n: z.number() }) }, {});
const storedPositions = async () => [{ partition: 0, next }];
const meter = () =>
  runMetering({ store: createClickHouseMeteringStore(store), storedPositions, now: clock.now, chunkHours: 100 });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pulse-billing-'));
  await copyEmptyStore(join(dir, 'store'));
  store = createChdbStore({ dir: join(dir, 'store'), memoryBytes: 600e6, connections: 2, logger, clock });
  await copyEmptyControl(join(dir, 'control'));
  control = createControl({ connection: { kind: 'pglite', dir: join(dir, 'control') }, logger });
  await Promise.all([store.start(), control.start()]);
  const numbers = [await addTenant('isp-alpha'), await addTenant('isp-beta')];
  for (const number of numbers) await fill(number);
  const tenants = createTenantDirectory(control);
  await tenants.refresh();
  const rateCards = createRateCardStore(control);
  // Two processes that start together.
  expect((await Promise.all([rateCards.seed(actor), rateCards.seed(actor)])).toSorted()).toEqual([0, 2]);
  expect(await rateCards.seed(actor)).toBe(0);
  await meter();
  const invoices = createInvoiceService({
    usage: createClickHouseUsageReader(store),
    subscriptions: createSubscriptionReader(control),
    rateCards,
    now: clock.now,
  });
  const reconciliation = createReconciliation(createBillingLedger({ store, storedPositions, now: clock.now }));
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerError);
  app.register(accessPlugin({ access: { authenticate: async (token) => principals[token] ?? null }, tenants }));
  app.register(invoiceRoutes({ invoices, tenants }));
  app.register(usageRoutes({ invoices, tenants }));
  app.register(qualityRoutes({ quality: createClickHouseQualityReader(store), now: clock.now }));
  app.register(rateCardRoutes({ rateCards }));
  const facts = createPeriodFactsReader(store);
  app.register(
    reconciliationRoutes({
      tenants,
      now: clock.now,
      reconciliation: {
        read: async (range, page) => {
          if (unreadable) throw new AppError('store.unavailable', 'gone', { status: 503, retryable: true });
          return reconciliation.read(range, page);
        },
      },
      selfTest: () => Promise.reject(new Error('tested apart')),
      lines: async (tenant, period) => (await readLineChecks({ invoices, facts }, tenant, period)).lines,
    }),
  );
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await Promise.all([store.stop(), control.stop()]);
  await rm(dir, { recursive: true, force: true });
});

const get = async (url: string, token = 'alpha') => {
  const answer = await app.inject({ url, headers: { authorization: `Bearer ${token}` } });
  return { status: answer.statusCode, body: answer.json() };
};
const draft = async (): Promise<Invoice> => {
  const { body } = await get('/api/v1/billing/invoices?period=2026-11');
  return Invoice.parse(body.items[0]);
};

/** All pages of a line's evidence. */
async function evidenceOf(link: string): Promise<LineEvidence> {
  let page = LineEvidence.parse((await get(`${link}&limit=1`)).body);
  const rows = [...page.rows];
  while (page.nextCursor !== null) {
    page = LineEvidence.parse((await get(`${link}&limit=1&cursor=${page.nextCursor}`)).body);
    rows.push(...page.rows);
  }
  return { ...page, rows };
}
const column = (evidence: LineEvidence, name: string) =>
  Decimal.sum(evidence.rows.map((row) => Decimal.parse(String(row[name]))));

describe('billing over HTTP', () => {
  test('the draft is right to the cent', async () => {
    const invoice = await draft();
    const amounts = Object.fromEntries(invoice.lines.map((line) => [line.item, line.amount]));
    expect(amounts).toEqual({
      // half of November: 99 ÷ 2
      tier_fee: '49.50',
      // (610 × 600 + 611 × 900) ÷ 1,500 = 610.6, rounded up 611: 500 × 0.90 + 111 × 0.70
      active_customers: '527.70',
      // 50,000.375 calls beyond the included are 51 started thousands
      api_calls: '20.40',
      // 333,333,333,333 B × 915,900 s ÷ 2^30 ÷ 2,592,000 s is 109.69… GB-months; 10 are included with half a month of small: 99.69… × 0.12
      storage: '11.96',
      payments: '0.05',
      ai_calls: '0.00',
    });
    expect(invoice.total).toBe('609.61');
    expect(invoice.asOf).toBe('2026-11-21T12:00:00Z');
    expect((await get('/api/v1/billing/invoices/draft-isp-alpha-2026-11')).body).toEqual(invoice);
  });

  test('the quantity of every line follows exactly from its evidence', async () => {
    const invoice = await draft();
    for (const line of invoice.lines) {
      const evidence = await evidenceOf(line.evidence);
      const value = () => column(evidence, 'value');
      const recomputed = {
        tier_fee: () =>
          column(evidence, 'covered_seconds').divide(column(evidence, 'period_seconds'), {
            scale: 12,
            rounding: 'half-even',
          }),
        active_customers: () => value().divide(column(evidence, 'seconds'), { scale: 0, rounding: 'ceil' }),
        storage: () => value().divide(Decimal.of(2n ** 30n * 2_592_000n), { scale: 12, rounding: 'half-even' }),
        api_calls: value,
        payments: value,
        ai_calls: value,
      }[line.item];
      expect(recomputed?.().toString(), line.item).toBe(line.quantity);
      expect(evidence.quantity).toBe(line.quantity);
      expect(evidence.aggregate).toBe(line.aggregation);
    }
  });

  test('a bucket leads to the raw events whose values add up to it', async () => {
    const invoice = await draft();
    const evidence = await evidenceOf(invoice.lines.find(({ item }) => item === 'api_calls')?.evidence ?? '');
    expect(evidence.rows).toHaveLength(3);
    for (const row of evidence.rows) {
      const raw = LineEvidence.parse((await get(String(row['raw']))).body);
      expect(column(raw, 'value').toString()).toBe(row['value']);
    }
    const samples = await get(
      '/api/v1/billing/invoices/draft-isp-alpha-2026-11/lines/active_customers/evidence/events?bucket=2026-11-01T00:15:00Z',
    );
    // the samples before the bucket hold into it
    expect(samples.body.rows.map((row: { value: string }) => row.value)).toEqual(['610', '611']);
  });

  test('evidence stays what it was when a late event arrives', async () => {
    const before = await draft();
    const link = before.lines.find(({ item }) => item === 'api_calls')?.evidence ?? '';
    const rows = await evidenceOf(link);
    const seq = await touch('events', 1, start, 1, '1000');
    await store.execute(
      `INSERT INTO usage_events (tenant, type, source, id, time, received, value, partition, offset) SELECT 1, 'api_calls', '/isp', 'late', toDateTime64({second:UInt32}, 3, 'UTC'), now64(3), 1000, 0, {seq:UInt64}`,
      { second: start + 1, seq },
    );
    await meter();
    expect(await evidenceOf(link)).toEqual(rows);
    const after = await draft();
    expect(after.lines.find(({ item }) => item === 'api_calls')?.quantity).toBe('151000.375');
    expect(after.knownAt).not.toBe(before.knownAt);
  });

  test('a foreign and an unknown invoice are refused alike', async () => {
    const answers = await Promise.all(
      ['draft-isp-beta-2026-11', 'draft-no-such-2026-11', 'anything'].map((id) =>
        get(`/api/v1/billing/invoices/${id}`),
      ),
    );
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([403, 'billing.invoice_forbidden']);
    }
    expect((await get('/api/v1/billing/invoices/draft-isp-beta-2026-11/lines/api_calls/evidence')).status).toBe(403);
    expect((await get('/api/v1/billing/invoices/draft-isp-alpha-2026-11/lines/none/evidence')).status).toBe(404);
  });

  test('the operator pages through all tenants and must name one for usage', async () => {
    const first = (await get('/api/v1/billing/invoices?limit=1', 'operator')).body;
    expect(first.items.map(({ tenant }: Invoice) => tenant)).toEqual(['isp-alpha']);
    const second = (await get(`/api/v1/billing/invoices?limit=1&cursor=${first.nextCursor}`, 'operator')).body;
    expect([second.items[0].tenant, second.nextCursor, second.failures]).toEqual(['isp-beta', null, []]);
    expect((await get('/api/v1/billing/usage', 'operator')).body.code).toBe('billing.tenant_required');
    const usage = UsageReport.parse((await get('/api/v1/billing/usage?tenant=isp-beta', 'operator')).body);
    const calls = usage.meters.find(({ meter: key }) => key === 'api_calls');
    expect([calls?.quantity, calls?.events]).toEqual(['150000.375', 3]);
    const evidence = await get(calls?.evidence ?? '', 'operator');
    expect(column(LineEvidence.parse(evidence.body), 'value').toString()).toBe('150000.375');
  });

  test('bad input is refused with the field that carries it', async () => {
    const line = '/api/v1/billing/invoices/draft-isp-alpha-2026-11/lines/api_calls/evidence';
    for (const [url, status] of [
      ['/api/v1/billing/invoices?period=2026-13', 400],
      [`${line}?knownAt=nonsense`, 400],
      [`${line}?cursor=nonsense`, 400],
      [`${line}/events?bucket=2026-11-01T00:01:00Z`, 400],
      ['/api/v1/billing/usage/none/evidence', 422],
    ] as const) {
      expect((await get(url)).status, url).toBe(status);
    }
  });

  test('a rate card is added as a version and the price changes with the period it is in force for', async () => {
    const [card] = sampleRateCards();
    const post = (payload: unknown, token = 'operator') =>
      app.inject({
        method: 'POST',
        url: '/api/v1/billing/rate-cards',
        headers: { authorization: `Bearer ${token}` },
        payload: payload as object,
      });
    const changed = JSON.parse(JSON.stringify({ ...card, effective_from: '2026-12-01T00:00:00Z' }));
    changed.charges[0].amount_by_tier.small = '120';
    expect((await post(changed, 'alpha')).statusCode).toBe(403);
    expect((await post(changed)).json()).toMatchObject({ id: 'sample-usd', version: 2 });
    const fee = async (period: string) =>
      (await get(`/api/v1/billing/invoices?period=${period}`)).body.items[0].lines[0].amount;
    expect([await fee('2026-11'), await fee('2026-12')]).toEqual(['49.50', '120.00']);
    changed.charges[1].meter = 'no_such_meter';
    expect((await post(changed)).json()).toMatchObject({ code: 'billing.unknown_meter' });
    changed.charges[0].amount_by_tier.small = 120;
    expect((await post(changed)).statusCode).toBe(400);
    expect((await get('/api/v1/billing/rate-cards', 'operator')).body.items).toHaveLength(3);
  });

  test('the ledger balances, names a lost row, and never answers 0 when it cannot be read', async () => {
    const url = '/api/v1/billing/reconciliation?period=2026-11';
    const events = async (query = '') =>
      Reconciliation.parse((await get(`${url}${query}`, 'operator')).body).handovers.filter(
        ({ signal }) => signal === 'events',
      );
    expect((await events()).map(({ state }) => state)).toEqual(['balanced', 'balanced', 'balanced', 'balanced']);
    const pages: unknown[] = [];
    for (let cursor: string | null = '0'; cursor !== null; ) {
      const { body }: { body: { handovers: unknown[]; nextCursor: string | null } } = await get(
        `${url}&limit=5&cursor=${cursor}`,
        'operator',
      );
      pages.push(...body.handovers);
      cursor = body.nextCursor;
    }
    expect(pages).toEqual((await get(url, 'operator')).body.handovers);
    await store.execute("ALTER TABLE usage_events DELETE WHERE tenant = 2 AND id = 'b' SETTINGS mutations_sync = 2");
    expect(await events('&state=mismatch')).toMatchObject([
      { tenant: 'isp-beta', from: 'logged', to: 'stored', counts: { from: 4, to: 3 }, state: 'mismatch' },
    ]);
    const spoilt = Reconciliation.parse((await get(`${url}&limit=0`, 'operator')).body);
    expect([spoilt.balanced, spoilt.handovers]).toEqual([false, []]);
    expect(
      spoilt.totals
        .filter(({ mismatched }) => mismatched > 0)
        .map(({ signal, from, to, sums }) => [signal, from, to, sums?.to]),
    ).toEqual([
      ['api_calls', 'stored', 'rated', '150000.375'],
      ['events', 'logged', 'stored', '150000.25'],
    ]);
    expect(spoilt.lines?.map(({ tenant, line, state }) => [tenant, line, state])).toContainEqual([
      'isp-beta',
      'api_calls',
      'balanced',
    ]);
    expect(Reconciliation.parse((await get(url)).body)).toMatchObject({ balanced: true });
    unreadable = true;
    expect(await get(url, 'operator')).toMatchObject({ status: 503, body: { code: 'billing.ledger_unreadable' } });
    unreadable = false;
  });
});

describe('quality of usage', () => {
  test('conflicts show both contents and what differs, page by page, and are counted with their meter; other tenants see none', async () => {
    const tenant = Number((await rowsOf('SELECT min(tenant) AS n FROM usage_events'))[0]?.n);
    for (const [id, value, at] of [
      ['a', '1', '2026-11-01T00:00:01.000Z'],
      ['unknown', '2', '2026-11-02T00:00:00.000Z'],
    ] as const) {
      const payload = {
        type: 'api_calls',
        source: '/isp',
        id,
        subject: 'portal',
        time: at,
        value,
        attributes: { x: '1' },
      };
      await store.execute(
        `INSERT INTO usage_conflicts (tenant, source, id, received, payload, partition, offset)
         SELECT {tenant:UInt32}, '/isp', {id:String}, toDateTime64('2026-11-20 10:00:00.5', 3, 'UTC'), {payload:String}, 0, 7`,
        { tenant, id, payload: JSON.stringify(payload) },
      );
    }
    const first = await get('/api/v1/plugins/usage-events/conflicts?start=2026-11-20T00:00:00Z&limit=1');
    expect(first.body.items).toEqual([
      {
        source: '/isp',
        id: 'a',
        receivedAt: '2026-11-20T10:00:00.500Z',
        kept: {
          type: 'api_calls',
          subject: 'portal',
          time: '2026-11-01T00:00:01.000Z',
          value: '150000',
          attributes: {},
        },
        sent: {
          type: 'api_calls',
          subject: 'portal',
          time: '2026-11-01T00:00:01.000Z',
          value: '1',
          attributes: { x: '1' },
        },
        differs: ['data.value', 'data.x'],
      },
    ]);
    const second = await get(
      `/api/v1/plugins/usage-events/conflicts?start=2026-11-20T00:00:00Z&limit=1&cursor=${first.body.nextCursor}`,
    );
    expect([second.body.items[0].kept, second.body.nextCursor]).toEqual([null, null]);
    expect((await get('/api/v1/plugins/usage-events/conflicts?end=2026-11-20T00:00:00Z')).body.items).toEqual([]);
    expect((await get('/api/v1/plugins/usage-events/conflicts?tenant=isp-beta', 'operator')).body.items).toEqual([]);
    expect((await get('/api/v1/plugins/usage-events/conflicts?tenant=isp-beta')).status).toBe(403);
    const { body } = await get('/api/v1/billing/usage/quality?period=2026-11');
    const meter = (key: string) => body.meters.find((one: { meter: string }) => one.meter === key);
    expect(meter('api_calls')).toMatchObject({ conflicts: 2, late: 0, resets: null });
    expect(meter('active_customers')).toMatchObject({ conflicts: null, resets: null, gaps: 0 });
    expect((await get('/api/v1/billing/usage/quality', 'operator')).body.code).toBe('billing.tenant_required');
  });
});
