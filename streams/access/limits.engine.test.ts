import { type FastifyInstance, fastify } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultLimits } from '../contract/index.ts';
import { listAudit } from '../control/audit.ts';
import { insertTenant, startTestControl, type TestControl, testActor } from '../control/test-control.ts';
import { answerError } from '../runtime/http-server.ts';
import { accessPlugin } from './access-plugin.ts';
import { createLimitsDirectory } from './limits-directory.ts';
import { limitsRoutes } from './limits-http.ts';
import { createLimitsStore } from './limits-store.ts';
import type { LimitsDirectory, Principal } from './port.ts';
import { createTenantDirectory } from './tenant-directory.ts';

let plane: TestControl;
let app: FastifyInstance;
let limits: LimitsDirectory;
const invalid: string[] = [];
const tenantKey = (tenantId: string): Principal => ({
  role: 'tenant',
  id: `key:${tenantId}`,
  tenantId,
  partnerId: null,
  scopes: [],
});
const principals: Readonly<Record<string, Principal>> = {
  operator: { role: 'operator', id: 'operator', tenantId: null, partnerId: null, scopes: [] },
  alpha: tenantKey('alpha'),
  beta: tenantKey('beta'),
};

beforeAll(async () => {
  plane = await startTestControl();
  const { control } = plane;
  for (const id of ['alpha', 'beta']) {
    await control.mutate(testActor, { kind: 'global' }, async (tx) => {
      await insertTenant(tx, id);
      return { result: null, audit: { action: 'tenant.create', resource: id, tenantId: id } };
    });
  }
  const tenants = createTenantDirectory(control);
  await tenants.refresh();
  limits = createLimitsDirectory(control, (tenant) => invalid.push(tenant));
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.register(accessPlugin({ access: { authenticate: async (token) => principals[token] ?? null }, tenants, limits }));
  app.register(limitsRoutes(createLimitsStore({ control, now: () => Date.now(), refresh: () => limits.refresh() })));
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await plane.end();
});

const url = '/api/v1/tenants/alpha/limits';
const call = (token: string, method: 'GET' | 'PUT' | 'PATCH', payload?: object) =>
  app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${token}` },
    ...(payload === undefined ? {} : { payload }),
  });

test('a tenant without limits of its own has the defaults, and reads them', async () => {
  const answer = await call('alpha', 'GET');
  expect(answer.json()).toEqual({ tenant: 'alpha', limits: defaultLimits, overrides: {}, updatedAt: null });
});

test('a change is in force at once, leaves the others, and null is the default again', async () => {
  await call('operator', 'PUT', { pointsPerSecond: 10, retentionDays: { logs: 7, traces: 9 } });
  await call('operator', 'PATCH', { activeSeries: 5, retentionDays: { traces: null } });
  expect(limits.of('alpha')).toEqual({
    ...defaultLimits,
    pointsPerSecond: 10,
    activeSeries: 5,
    retentionDays: { ...defaultLimits.retentionDays, logs: 7 },
  });
  expect(limits.of('beta')).toEqual(defaultLimits);
  const reset = await call('operator', 'PATCH', { pointsPerSecond: null, retentionDays: null });
  expect(reset.json().overrides).toEqual({ activeSeries: 5 });
  const replaced = await call('operator', 'PUT', {});
  expect([replaced.json().overrides, limits.of('alpha')]).toEqual([{}, defaultLimits]);
});

test('every change is in the audit chain with what was before', async () => {
  await call('operator', 'PUT', { pointsPerSecond: 20 });
  const records = await listAudit(plane.control, { kind: 'global' }, { limit: 100, before: null });
  const last = records.find(({ action }) => action === 'tenant.limits');
  expect([last?.actor, last?.tenantId]).toEqual(['operator', 'alpha']);
  expect(JSON.stringify(last?.detail)).toContain('"after":{"pointsPerSecond":20}');
});

const wrong: readonly (readonly [object, string])[] = [
  [{ pointsPerSecond: 0 }, 'body.pointsPerSecond'],
  [{ activeSeries: 1.5 }, 'body.activeSeries'],
  [{ retentionDays: { metrics: 99 } }, 'body.retentionDays.metrics'],
  [{ readsPerSecond: '5' }, 'body.readsPerSecond'],
];
for (const [body, field] of wrong) {
  test(`${JSON.stringify(body)} is refused naming ${field}, and changes nothing`, async () => {
    const before = limits.of('alpha');
    const answer = await call('operator', 'PATCH', body);
    expect([answer.statusCode, answer.json().field]).toEqual([400, field]);
    expect(limits.of('alpha')).toBe(before);
  });
}

test('an unknown limit is refused by name', async () => {
  const answer = await call('operator', 'PATCH', { pointsPerMinute: 1 });
  expect([answer.statusCode, answer.json().detail.includes('pointsPerMinute')]).toEqual([400, true]);
});

test('a tenant changes no limits, and reads no foreign ones', async () => {
  expect((await call('alpha', 'PUT', { pointsPerSecond: 1_000_000 })).statusCode).toBe(403);
  expect((await call('beta', 'GET')).statusCode).toBe(403);
});

test('limits that this version does not understand leave a tenant what it had', async () => {
  await call('operator', 'PUT', { pointsPerSecond: 77 });
  await plane.control.mutate(testActor, { kind: 'global' }, async (tx) => {
    await tx.updateTable('tenant_limits').set({ overrides: '{"newer":1}' }).execute();
    return { result: null, audit: { action: 'test.write', resource: 'test', tenantId: null } };
  });
  await limits.refresh();
  expect([limits.of('alpha').pointsPerSecond, invalid]).toEqual([77, ['alpha']]);
});

test('a key that reads too often gets 429 with Retry-After; others and the operator do not', async () => {
  await call('operator', 'PUT', { readsPerSecond: 1 });
  const answers = [];
  for (let i = 0; i < 15; i += 1) answers.push(await call('alpha', 'GET'));
  const refused = answers.filter(({ statusCode }) => statusCode === 429);
  expect(refused.length).toBeGreaterThanOrEqual(3);
  expect([refused[0]?.json().code, refused[0]?.headers['retry-after']]).toEqual(['access.read_limit', '1']);
  expect(answers[0]?.headers['ratelimit-policy']).toBe('"reads";q=10;w=10');
  expect(refused[0]?.headers['ratelimit']).toBe('"reads";r=0;t=1');
  for (let i = 0; i < 15; i += 1) expect((await call('operator', 'GET')).statusCode).toBe(200);
  expect((await call('beta', 'GET')).statusCode).toBe(403);
});
