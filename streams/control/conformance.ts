import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isolationConformance } from './isolation-conformance.ts';
import type { KyselyControl } from './kysely-control.ts';
import { outboxConformance } from './outbox-conformance.ts';
import type { ControlTransaction } from './port.ts';
import { insertTenant, type TestControl, testActor } from './test-control.ts';
import { asLogin, audit, everything, rejected, seedTwoTenants } from './test-rows.ts';

/** What every backend of the control plane guarantees; `start` opens an empty one. */
export function controlConformance(start: () => Promise<TestControl>): void {
  let control: KyselyControl;
  let end: () => Promise<void>;

  beforeAll(async () => {
    ({ control, end } = await start());
    await seedTwoTenants(control);
  });
  afterAll(() => end());

  isolationConformance(() => control);
  outboxConformance(() => control);

  test('a tally adds to counters and can touch nothing else', async () => {
    await control.tally((tx) =>
      tx
        .insertInto('rejected_counts')
        .values({ ...rejected('alpha'), records: 4 })
        .onConflict((conflict) =>
          conflict
            .columns(['tenant_id', 'hour', 'signal', 'reason'])
            .doUpdateSet({ records: sql<number>`rejected_counts.records + excluded.records` }),
        )
        .execute(),
    );
    const rows = await control.read({ kind: 'tenant', tenantId: 'alpha' }, (tx) =>
      tx.selectFrom('rejected_counts').select(['tenant_id', 'records']).execute(),
    );
    expect(rows).toEqual([{ tenant_id: 'alpha', records: '7' }]);
    const writes: readonly ((tx: ControlTransaction) => Promise<unknown>)[] = [
      (tx) => tx.updateTable('tenants').set({ name: 'x' }).execute(),
      (tx) => tx.updateTable('tenant_limits').set({ overrides: '{}' }).execute(),
      (tx) => insertTenant(tx, 'delta'),
    ];
    for (const write of writes) await expect(control.tally(write)).rejects.toMatchObject({ status: 403 });
  });

  test('a read cannot write', async () => {
    await expect(control.read(everything, (tx) => insertTenant(tx, 'gamma'))).rejects.toThrow();
  });

  test('instants come back as ISO strings, 64-bit integers as strings, jsonb as objects, arrays as arrays', async () => {
    const row = await control.read(everything, (tx) =>
      tx.selectFrom('decision_outcomes').selectAll().where('tenant_id', '=', 'alpha').executeTakeFirstOrThrow(),
    );
    expect(row).toMatchObject({ seq: '1', at: '2026-11-01T00:00:00.000Z', document: { tenant: 'alpha' } });
    const key = await control.read(everything, (tx) => tx.selectFrom('api_keys').selectAll().executeTakeFirstOrThrow());
    expect(key.scopes).toEqual(['backfill']);
    expect(key.expires_at).toBeNull();
  });

  test('decisions, outcomes, rate cards and the audit log take no update and no delete, not even from a superuser', async () => {
    for (const table of ['decisions', 'decision_outcomes', 'audit_log', 'rate_cards', 'sealed_periods']) {
      for (const statement of [sql`DELETE FROM ${sql.table(table)}`, sql`TRUNCATE ${sql.table(table)} CASCADE`]) {
        await expect(asLogin(control, (tx) => statement.execute(tx))).rejects.toMatchObject({
          code: 'control.append_only',
        });
        await expect(
          control.mutate(testActor, everything, async (tx) => ({ result: await statement.execute(tx), audit })),
        ).rejects.toMatchObject({ code: 'control.forbidden' });
      }
    }
  });

  test('a mutation without an audit entry rolls back', async () => {
    await expect(
      control.mutate(testActor, everything, async (tx) => {
        await insertTenant(tx, 'unaudited');
        return { result: null, audit: [] };
      }),
    ).rejects.toThrow('no audit entry');
    const rows = await control.read(everything, (tx) =>
      tx.selectFrom('tenants').selectAll().where('id', '=', 'unaudited').execute(),
    );
    expect(rows).toEqual([]);
  });

  test('a duplicate is a conflict, a broken rule is invalid, and both name the constraint', async () => {
    const insert = (id: string) =>
      control.mutate(testActor, everything, async (tx) => ({ result: await insertTenant(tx, id), audit }));
    await expect(insert('alpha')).rejects.toMatchObject({ code: 'control.conflict', status: 409 });
    await expect(insert('NOT VALID')).rejects.toMatchObject({
      code: 'control.invalid',
      status: 400,
      context: { constraint: 'tenants_id_check' },
    });
  });

  test('the number of a deleted tenant is not given out again', async () => {
    const numberOf = (id: string) =>
      asLogin(control, async (tx) => {
        await insertTenant(tx, id);
        const row = await tx.selectFrom('tenants').select('number').where('id', '=', id).executeTakeFirstOrThrow();
        await tx.deleteFrom('tenants').where('id', '=', id).execute();
        return row.number;
      });
    const first = await numberOf('short-lived');
    expect(await numberOf('short-lived')).toBeGreaterThan(Number(first));
  });

  test('a transaction started inside another one fails at once instead of waiting for ever', async () => {
    await expect(control.read(everything, () => control.read(everything, async () => null))).rejects.toThrow(
      'inside another one',
    );
  });

  test('concurrent transactions keep their scopes apart', async () => {
    const seen = await Promise.all(
      Array.from({ length: 40 }, (_, index) => {
        const tenantId = index % 2 === 0 ? 'alpha' : 'beta';
        return control.read({ kind: 'tenant', tenantId }, async (tx) => {
          const rows = await tx.selectFrom('tenants').select('id').execute();
          return rows.every(({ id }) => id === tenantId) && rows.length === 1;
        });
      }),
    );
    expect(seen.every(Boolean)).toBe(true);
  });
}
