import type { TenantRecord } from 'streams/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEngine, tenantRecord } from '../testing/engine-fixture.ts';
import { tenantRowsQuery } from './queries.ts';
import { createTenantTable } from './tenant-table.ts';

let engine: Awaited<ReturnType<typeof openEngine>>;
beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

test('a tenant and each change of it is written once, also by a process that starts anew', async () => {
  let now = Date.UTC(2026, 10, 21);
  let list: TenantRecord[] = [tenantRecord(1), tenantRecord(2, { partnerId: 'p1', name: "O'Neill \\ Söhne" })];
  const make = () =>
    createTenantTable({ store: engine.store, tenants: { list: () => list }, clock: { now: () => now++ } });
  const table = make();
  expect([await table.run(), await table.run(), await make().run()]).toEqual([2, 0, 0]);

  list = [tenantRecord(1, { tier: 'large' }), tenantRecord(2, { partnerId: 'p1', name: "O'Neill \\ Söhne" })];
  expect([await table.run(), await table.run()]).toEqual([1, 0]);
  const rows = await engine.store.query(tenantRowsQuery, {});
  expect(rows.toSorted((a, b) => a.tenantNumber - b.tenantNumber)).toMatchObject([
    { tenantNumber: 1, id: 'isp-1', tier: 'large', partner: '', createdSeconds: Date.UTC(2026, 0, 1) / 1000 },
    { tenantNumber: 2, id: 'isp-2', tier: 'small', partner: 'p1', name: "O'Neill \\ Söhne", state: 'active' },
  ]);
});

test('a write that fails is tried again at the next run', async () => {
  let broken = true;
  const store = {
    query: async () => [],
    insert: async () => {
      if (broken) throw new Error('no disk');
    },
  } as unknown as typeof engine.store;
  const table = createTenantTable({ store, tenants: { list: () => [tenantRecord(7)] }, clock: { now: () => 1 } });
  await expect(table.run()).rejects.toThrow('no disk');
  broken = false;
  expect(await table.run()).toBe(1);
});
