import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tenantTables, tenantViews } from '../clickhouse-http/reader-catalogue.ts';
import { statements } from '../migrations.ts';
import { openStoreFixture, rowsOf, type StoreFixture } from '../store-fixture.ts';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
const literal = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

test('every statement for a server is one that the engine’s parser takes', async () => {
  for (const file of ['users.sql', 'row-policies.sql']) {
    for (const statement of statements(read(file))) {
      const [row] = await rowsOf(fixture.store, `SELECT formatQuerySingleLine(${literal(statement)}) AS written`);
      expect(String(row?.['written'])).toMatch(/^(CREATE|GRANT) /);
    }
  }
});

test('each table that a tenant may read has a policy and a grant, and nothing else has', () => {
  const policies = [...read('row-policies.sql').matchAll(/own_rows ON default\.(\w+) USING tenant = /g)].map(
    ([, table]) => table,
  );
  expect(policies).toEqual([...tenantTables]);
  const grants = [...read('users.sql').matchAll(/GRANT SELECT ON default\.(\w+) TO pulse_tenant_reader;/g)].map(
    ([, table]) => table,
  );
  expect(grants).toEqual([...tenantTables, ...tenantViews]);
});

test('each of them has the tenant in its rows', async () => {
  const rows = await rowsOf(
    fixture.store,
    "SELECT table FROM system.columns WHERE database = 'default' AND name = 'tenant' AND type = 'UInt32'",
  );
  const known = new Set(rows.map(({ table }) => table));
  expect(tenantTables.filter((table) => !known.has(table))).toEqual([]);
});
