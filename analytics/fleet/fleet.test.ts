import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Principal } from 'streams/access';
import type { Store } from 'streams/store';
import { expect, test } from 'vitest';
import { tenantRecord } from '../testing/engine-fixture.ts';
import { fleetRoutes } from './http.ts';

const tenants = [tenantRecord(1, { partnerId: 'p1' }), tenantRecord(2), tenantRecord(3, { partnerId: 'p1' })];
const person = (role: Principal['role'], overrides: Partial<Principal> = {}): Principal => ({
  role,
  id: role,
  tenantId: null,
  partnerId: null,
  scopes: [],
  ...overrides,
});

async function fleetOf(principal: Principal, query = '') {
  let reads = 0;
  let nowMs = Date.UTC(2026, 10, 20);
  const store = {
    query: async () => {
      reads++;
      return [];
    },
  } as unknown as Store;
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.addHook('onRequest', async (request) => {
    request.principal = principal;
    request.tenant = tenants.find((tenant) => tenant.id === principal.tenantId) ?? null;
  });
  const directory = { list: () => tenants, byId: () => undefined, byNumber: () => undefined, refresh: async () => {} };
  await app.register(fleetRoutes({ store, tenants: directory, clock: { now: () => nowMs } }));
  const get = async () => (await app.inject(`/api/v1/analytics/fleet${query}`)).json();
  return { get, reads: () => reads, pass: (ms: number) => (nowMs += ms) };
}
const ids = (fleet: { items: { tenant: { id: string } }[] }) => fleet.items.map((item) => item.tenant.id);

test('the operator sees all, a partner its own, a tenant itself; the engine number stays inside', async () => {
  const all = await (await fleetOf(person('operator'))).get();
  expect(ids(all)).toEqual(['isp-1', 'isp-2', 'isp-3']);
  expect(JSON.stringify(all)).not.toContain('"number"');
  expect(all.items[0]).toMatchObject({ health: 'unmeasured', attainment: null, customers: null });
  expect(ids(await (await fleetOf(person('partner', { partnerId: 'p1' }))).get())).toEqual(['isp-1', 'isp-3']);
  expect(ids(await (await fleetOf(person('partner', { partnerId: null }))).get())).toEqual([]);
  expect(ids(await (await fleetOf(person('tenant', { tenantId: 'isp-2' }))).get())).toEqual(['isp-2']);
});

test('pages continue after the last tenant', async () => {
  expect(await (await fleetOf(person('operator'), '?limit=2')).get()).toMatchObject({ nextCursor: 'isp-2' });
  expect(ids(await (await fleetOf(person('operator'), '?limit=2&cursor=isp-2')).get())).toEqual(['isp-3']);
});

test('young rows are answered again, old ones are read anew', async () => {
  const fleet = await fleetOf(person('operator'));
  await fleet.get();
  const once = fleet.reads();
  fleet.pass(1_500);
  await fleet.get();
  expect(fleet.reads()).toBe(once);
  fleet.pass(40_000);
  await fleet.get();
  expect(fleet.reads()).toBe(2 * once);
});
