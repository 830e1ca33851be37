import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { modules as accessModules } from 'streams/access';
import type { Decision, DecisionView } from 'streams/contract';
import { TenantId } from 'streams/contract';
import { modules as controlModules } from 'streams/control';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { logModule } from 'streams/log';
import {
  configSchemas,
  createModules,
  defineModule,
  httpModules,
  parseSections,
  ServerConfig,
  type Services,
  selectModules,
} from 'streams/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { modules } from './module.ts';

const dir = mkdtempSync(join(tmpdir(), 'pulse-orchestrator-'));
let now = Date.parse('2026-11-21T10:00:00.000Z');
let services: Services;
let operator: string;
let stop: () => Promise<void>;

beforeAll(async () => {
  const server = ServerConfig.parse({ httpPort: 0, otlpHttpPort: 0, otlpGrpcPort: 0, dataDir: dir });
  const observer = defineModule({
    name: 'observer',
    description: 'hands the services to the test',
    requires: ['http'],
    config: z.object({}),
    create(_config, given) {
      services = given;
      return { async start() {}, ready: () => ({ ready: true }), async stop() {} };
    },
  });
  const process = { version: 'test', server: () => server, readiness: () => [], onListening() {} };
  const definitions = [logModule, ...controlModules, ...accessModules, httpModules(process).http, ...modules, observer];
  const selected = selectModules(definitions, {}, 'control-api,orchestrator,orchestrator-api,observer');
  const configs = parseSections({ orchestrator: { expirySweepSeconds: 1 } }, configSchemas(selected));
  const logger = pino({ level: 'silent' });
  const set = createModules(selected, configs, {
    ...{ logger, dataDir: dir, clock: { now: () => now }, metrics: new Registry() },
  });
  stop = async () => {
    await services?.http.close();
    await set.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  await copyEmptyControl(join(dir, 'control'));
  await set.start();
  await services.http.ready();
  operator = readFileSync(join(dir, 'operator.token'), 'utf8').trim();
});
afterAll(() => stop());

async function ask<T = Record<string, unknown>>(
  method: 'GET' | 'POST' | 'PATCH',
  url: string,
  payload?: object,
  token = operator,
): Promise<{ status: number; body: T }> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await services.http.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  return { status: answer.statusCode, body: answer.json<T>() };
}

let count = 0;
let tenant: string;
let key: string;
beforeEach(async () => {
  count += 1;
  tenant = `isp-${count}`;
  const { status, body } = await ask<{ apiKey: string }>('POST', '/api/v1/tenants', { id: tenant, name: tenant });
  expect(status).toBe(201);
  key = body.apiKey;
});

const subscriptions = () =>
  services.control.read({ kind: 'global' }, (tx) =>
    tx
      .selectFrom('subscriptions')
      .select(['tier', 'plan', 'valid_from', 'valid_to'])
      .where('tenant_id', '=', tenant)
      .orderBy('valid_from')
      .execute(),
  );
const auditOf = async (id = tenant) => {
  const { body } = await ask<{ items: { action: string; actor: string }[] }>('GET', `/api/v1/audit?tenant=${id}`);
  return body.items.map(({ action }) => action).toReversed();
};

/** What others are told of a tenant, in order; one left for each change, none for a refused one. */
const eventsOf = async (id = tenant) =>
  (await services.outbox.waiting(10_000))
    .filter(({ event }) => event.tenantid === id)
    .map(({ event }) => [event.type, event.data]);

describe("a tenant's life over HTTP", () => {
  test('a change of tier ends one subscription and begins the next at the same instant', async () => {
    const begun = new Date(now).toISOString();
    now += 3_600_000;
    const changed = await ask('PATCH', `/api/v1/tenants/${tenant}`, { tier: 'medium' });
    expect([changed.status, changed.body['tier']]).toEqual([200, 'medium']);
    const at = new Date(now).toISOString();
    expect(await subscriptions()).toEqual([
      { tier: 'small', plan: 'professional', valid_from: begun, valid_to: at },
      { tier: 'medium', plan: 'professional', valid_from: at, valid_to: null },
    ]);
    expect((await ask('PATCH', `/api/v1/tenants/${tenant}`, { name: 'Renamed' })).status).toBe(200);
    expect(await subscriptions()).toHaveLength(2);
    expect(services.tenants.byId(tenant)).toMatchObject({ name: 'Renamed', tier: 'medium' });
    const tier = (value: string) => expect.objectContaining({ tier: value });
    expect(await eventsOf()).toEqual([
      ['tenant.created', tier('small')],
      ['tenant.changed', { before: tier('small'), after: tier('medium') }],
      ['tenant.changed', { before: tier('medium'), after: tier('medium') }],
    ]);
  });

  test('what may not change is refused by name', async () => {
    for (const change of [{ currency: 'EUR' }, { id: 'other' }, { timeZone: 'UTC' }, {}, { tier: 'huge' }]) {
      const { status, body } = await ask('PATCH', `/api/v1/tenants/${tenant}`, change);
      expect([status, body['code'], change]).toEqual([400, 'request.invalid', change]);
    }
    const unknown = await ask('PATCH', `/api/v1/tenants/${tenant}`, { partnerId: 'nobody' });
    expect([unknown.status, unknown.body['code']]).toEqual([400, 'tenants.unknown_partner']);
    const twice = await ask('POST', '/api/v1/tenants', { id: tenant, name: 'again' });
    expect([twice.status, twice.body['code']]).toEqual([409, 'tenants.exists']);
  });

  test('suspended may read and cannot be suspended twice; cancelled ends the subscription and stays cancelled', async () => {
    const move = (verb: string) => ask('POST', `/api/v1/tenants/${tenant}/${verb}`);
    expect((await move('suspend')).body['state']).toBe('suspended');
    expect((await ask('GET', `/api/v1/tenants/${tenant}`, undefined, key)).status).toBe(200);
    expect((await move('suspend')).body['code']).toBe('tenants.transition');
    expect((await move('resume')).body['state']).toBe('active');
    expect((await move('cancel')).body['state']).toBe('cancelled');
    expect((await subscriptions()).map(({ valid_to }) => valid_to)).toEqual([new Date(now).toISOString()]);
    expect((await move('resume')).body['code']).toBe('tenants.transition');
    expect((await ask('PATCH', `/api/v1/tenants/${tenant}`, { name: 'x' })).body['code']).toBe('tenants.cancelled');
    expect(await auditOf()).toEqual(['tenant.create', 'tenant.suspend', 'tenant.resume', 'tenant.cancel']);
    expect((await eventsOf()).slice(1)).toEqual([
      ['tenant.suspended', { before: 'active', after: 'suspended' }],
      ['tenant.resumed', { before: 'suspended', after: 'active' }],
      ['tenant.cancelled', { before: 'active', after: 'cancelled' }],
    ]);
  });

  test('a tenant key changes nothing, not even its own', async () => {
    for (const verb of ['suspend', 'resume', 'cancel']) {
      expect((await ask('POST', `/api/v1/tenants/${tenant}/${verb}`, undefined, key)).status).toBe(403);
    }
    expect((await ask('PATCH', `/api/v1/tenants/${tenant}`, { tier: 'xlarge' }, key)).status).toBe(403);
    expect(await auditOf()).toEqual(['tenant.create']);
  });
});

/** A fresh proposal for the tenant of the test. */
const proposal = (change: Partial<Decision> = {}): Decision => ({
  id: `d-${tenant}`,
  tenantId: TenantId.parse(tenant),
  kind: 'scale',
  action: { name: 'change_tier', parameters: { from: 'small', tier: 'medium' } },
  reason: 'CPU above 80 % for 15 of the last 20 minutes',
  evidence: {
    ...{ query: 'cpu_minutes.sql', parameters: {}, values: { mean: 0.9 }, link: '/api/v1/telemetry/metrics' },
    freshAsOf: new Date(now - 60_000).toISOString(),
  },
  policyVersion: 'p1',
  counterfactual: 'requests queue',
  proposedAt: new Date(now).toISOString(),
  expiresAt: new Date(now + 3_600_000).toISOString(),
  idempotencyKey: `${tenant}/scale/1`,
  ...change,
});

/** Appends to the log as analytics does; resolves when the consumer has committed everything. */
async function propose(...decisions: readonly (Decision | string)[]): Promise<void> {
  const messages = decisions.map((decision) => ({
    ...{ key: tenant, headers: {} },
    payload: Buffer.from(typeof decision === 'string' ? decision : JSON.stringify(decision)),
  }));
  const positions = await services.log.append('decisions', messages);
  const last = Math.max(...positions.map(({ offset }) => offset));
  for (const end = Date.now() + 20_000; ; ) {
    const [committed] = await services.log.committed('decisions', 'orchestrator');
    if (committed !== undefined && committed.next > last) return;
    if (Date.now() > end) throw new Error(`offset ${last} was not taken`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const decisions = async (token = operator) =>
  (
    await ask<{ items: DecisionView[] }>(
      'GET',
      token === operator ? `/api/v1/decisions?tenant=${tenant}` : '/api/v1/decisions',
      undefined,
      token,
    )
  ).body.items;

describe('a decision', () => {
  test('delivered twice, in one batch and in the next, is recorded once with its gates and its plan', async () => {
    await propose(proposal(), proposal());
    await propose(proposal(), proposal({ id: 'another-id-with-the-same-key' }));
    const [view, ...others] = await decisions();
    expect(others).toEqual([]);
    expect(view).toMatchObject({ id: `d-${tenant}`, state: 'open' });
    expect(view?.outcomes).toHaveLength(1);
    expect(view?.outcomes[0]?.gates.every(({ passed }) => passed)).toBe(true);
    expect(view?.outcomes[0]?.plan?.diff).toMatch(/^-.*2Gi/m);
    expect(view?.outcomes[0]?.plan?.diff).toMatch(/^\+.*4Gi/m);
    expect(await auditOf()).toEqual(['tenant.create', 'decision.record']);
  });

  test('on stale evidence is blocked and cannot be approved', async () => {
    const evidence = { ...proposal().evidence, freshAsOf: new Date(now - 601_000).toISOString() };
    await propose(proposal({ evidence }));
    const [view] = await decisions();
    expect(view?.state).toBe('blocked');
    expect(view?.outcomes[0]?.gates.filter(({ passed }) => !passed).map(({ gate }) => gate)).toEqual(['freshness']);
    const approved = await ask('POST', `/api/v1/decisions/d-${tenant}/approve`, {});
    expect([approved.status, approved.body['code']]).toEqual([409, 'decisions.not_open']);
  });

  test('approved ends planned once, and its kind then cools down', async () => {
    await propose(proposal());
    const approved = await ask<DecisionView>('POST', `/api/v1/decisions/d-${tenant}/approve`, { reason: 'agreed' });
    expect([approved.status, approved.body.state]).toEqual([200, 'planned']);
    expect(approved.body.outcomes.at(-1)).toMatchObject({ actor: 'operator', state: 'planned' });
    expect(approved.body.outcomes.at(-1)?.detail).toContain('agreed');
    expect((await ask('POST', `/api/v1/decisions/d-${tenant}/approve`, {})).status).toBe(409);
    expect((await ask('POST', `/api/v1/decisions/d-${tenant}/veto`, {})).status).toBe(409);
    await propose(proposal({ id: `e-${tenant}`, idempotencyKey: `${tenant}/scale/2` }));
    const second = (await decisions()).find(({ id }) => id === `e-${tenant}`);
    expect(second?.state).toBe('blocked');
    expect(second?.outcomes[0]?.gates.find(({ gate }) => gate === 'cool_down')?.passed).toBe(false);
    expect(await auditOf()).toEqual(['tenant.create', 'decision.record', 'decision.approve', 'decision.record']);
    const told = (decisionId: string, state: string) => expect.objectContaining({ decisionId, state, kind: 'scale' });
    expect((await eventsOf()).slice(1)).toEqual([
      ['decision.opened', told(`d-${tenant}`, 'open')],
      ['decision.planned', told(`d-${tenant}`, 'planned')],
      ['decision.blocked', told(`e-${tenant}`, 'blocked')],
    ]);
  });

  test('approved when its evidence has gone stale meanwhile is held back', async () => {
    await propose(proposal());
    now += 660_000;
    const approved = await ask<DecisionView>('POST', `/api/v1/decisions/d-${tenant}/approve`, {});
    expect([approved.status, approved.body.state]).toEqual([200, 'blocked']);
  });

  test('vetoed keeps the reason', async () => {
    await propose(proposal());
    const vetoed = await ask<DecisionView>('POST', `/api/v1/decisions/d-${tenant}/veto`, { reason: 'sale on Friday' });
    expect([vetoed.status, vetoed.body.state]).toEqual([200, 'vetoed']);
    expect(vetoed.body.outcomes.at(-1)?.detail).toContain('sale on Friday');
    expect(await auditOf()).toEqual(['tenant.create', 'decision.record', 'decision.veto']);
    expect((await eventsOf()).at(-1)?.[0]).toBe('decision.vetoed');
  });

  test('that nobody resolves expires', async () => {
    await propose(proposal());
    now += 3_600_000;
    for (const end = Date.now() + 10_000; (await decisions())[0]?.state !== 'expired'; ) {
      if (Date.now() > end) throw new Error('it did not expire');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect((await eventsOf()).at(-1)?.[0]).toBe('decision.expired');
    expect((await ask('POST', `/api/v1/decisions/d-${tenant}/approve`, {})).status).toBe(409);
  });

  test('is seen by its tenant, who cannot resolve it, and by no other tenant', async () => {
    await propose(proposal());
    expect((await decisions(key)).map(({ id }) => id)).toEqual([`d-${tenant}`]);
    expect((await ask('POST', `/api/v1/decisions/d-${tenant}/approve`, {}, key)).status).toBe(403);
    const { body } = await ask<{ apiKey: string }>('POST', '/api/v1/tenants', { id: `${tenant}-other`, name: 'o' });
    expect(await decisions(body.apiKey)).toEqual([]);
    const foreign = await ask('GET', `/api/v1/decisions/d-${tenant}`, undefined, body.apiKey);
    const unknown = await ask('GET', '/api/v1/decisions/none', undefined, body.apiKey);
    expect([foreign.status, unknown.status]).toEqual([403, 403]);
    expect(foreign.body['detail']).toBe(unknown.body['detail']);
  });

  test('that is unreadable, or names nobody, is passed over and holds nothing up', async () => {
    await propose('not json', '{}', proposal({ id: 'lost', tenantId: TenantId.parse('no-such') }), proposal());
    expect((await decisions()).map(({ id }) => id)).toEqual([`d-${tenant}`]);
    expect((await ask('GET', '/api/v1/decisions/lost')).status).toBe(403);
  });
});

test('the audit chain over all of it verifies', async () => {
  const { body } = await ask<{ ok: boolean; records: number }>('GET', '/api/v1/audit/verify');
  expect(body.ok).toBe(true);
  expect(body.records).toBeGreaterThan(20);
});
