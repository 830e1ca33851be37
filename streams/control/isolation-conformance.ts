import { sql } from 'kysely';
import { expect, test } from 'vitest';
import type { KyselyControl } from './kysely-control.ts';
import type { ControlTransaction, RowScope } from './port.ts';
import { testActor } from './test-control.ts';
import { asLogin, audit, everything } from './test-rows.ts';

/** What keeps tenants apart below every query; `of` gives a control plane with the rows of `seedTwoTenants`. */
export function isolationConformance(of: () => KyselyControl): void {
  /** Every table that carries a tenant, read from the catalogue: a table added later is tested without a change here. */
  async function tenantTables(): Promise<{ table: string; column: string }[]> {
    const { rows } = await of().read(everything, (tx) =>
      sql<{ table: string; column: string }>`
      SELECT c.relname AS "table", a.attname AS "column" FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      WHERE c.relkind IN ('r', 'p') AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id'))
      ORDER BY 1`.execute(tx),
    );
    return rows;
  }

  /** Whatever can hold rows and is not guarded: a table without enabled and forced row-level security and a policy, and any view, which would read with the rights of its owner. */
  async function unguarded(tx: ControlTransaction): Promise<string[]> {
    const { rows } = await sql<{ name: string }>`
      SELECT relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
      WHERE relname <> 'pulse_migrations' AND (relkind IN ('v', 'm', 'f') OR (relkind IN ('r', 'p')
        AND NOT (relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid))))
      ORDER BY 1`.execute(tx);
    return rows.map(({ name }) => name);
  }

  test('every table has row-level security enabled and forced, and a policy', async () => {
    expect((await tenantTables()).length).toBeGreaterThanOrEqual(9);
    expect(await of().read(everything, unguarded)).toEqual([]);
  });

  test('C30: a new table without a policy, and a new role, see nothing; the check above names the table', async () => {
    const undo = new Error('undo');
    const attempts: unknown[] = [];
    await expect(
      asLogin(of(), async (tx) => {
        await sql`CREATE TABLE forgotten (tenant_id text)`.execute(tx);
        await sql`INSERT INTO forgotten VALUES ('alpha'), ('beta')`.execute(tx);
        attempts.push(await unguarded(tx));
        // Nobody is given anything by default.
        await sql`SAVEPOINT before`.execute(tx);
        await sql`SET LOCAL ROLE pulse_reader`.execute(tx);
        attempts.push(await sql`SELECT * FROM forgotten`.execute(tx).catch((error) => error.code));
        await sql`ROLLBACK TO SAVEPOINT before`.execute(tx);
        // Granted, and with row-level security, and without a policy.
        await sql`GRANT SELECT ON forgotten TO pulse_reader`.execute(tx);
        await sql`ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY`.execute(tx);
        await sql`ALTER TABLE forgotten FORCE ROW LEVEL SECURITY`.execute(tx);
        attempts.push(await unguarded(tx));
        await sql`SET LOCAL ROLE pulse_reader`.execute(tx);
        attempts.push((await sql`SELECT * FROM forgotten`.execute(tx)).rows.length);
        throw undo;
      }),
    ).rejects.toBe(undo);
    expect(attempts).toEqual([['forgotten'], '42501', ['forgotten'], 0]);
  });

  test('the roles of the control plane cannot log in and pass no policy by, and none of them may change what decides', async () => {
    const { rows } = await of().read(everything, (tx) =>
      sql<{ name: string; isPowerful: boolean; owns: string }>`
      SELECT rolname AS name, (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb) AS "isPowerful",
        (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid) AS owns
      FROM pg_roles r WHERE rolname LIKE 'pulse\\_%' AND rolname <> 'pulse_app' ORDER BY 1`.execute(tx),
    );
    const names = rows.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'pulse_auditor',
        'pulse_counter',
        'pulse_leaser',
        'pulse_reader',
        'pulse_relay',
        'pulse_writer',
      ]),
    );
    for (const row of rows) expect(row).toEqual({ name: row.name, isPowerful: false, owns: '0' });
  });

  test('C29: a write without a tenant filter changes no foreign row, in any table and under any scope', async () => {
    const scopes: RowScope[] = [
      { kind: 'tenant', tenantId: 'alpha' },
      { kind: 'partner', partnerId: 'alpha-partner' },
      { kind: 'tenant', tenantId: 'alpha', partnerId: 'alpha-partner' },
    ];
    const undo = new Error('undo');
    const foreign = async (tx: ControlTransaction, table: string, column: string) =>
      (
        await sql<{
          rows: string;
        }>`SELECT count(*) AS rows FROM ${sql.table(table)} WHERE ${sql.ref(column)} = 'beta'`.execute(tx)
      ).rows[0]?.rows;
    let tried = 0;
    for (const scope of scopes) {
      for (const { table, column } of await tenantTables()) {
        const before = await of().read(everything, (tx) => foreign(tx, table, column));
        for (const statement of [
          sql`UPDATE ${sql.table(table)} SET ${sql.ref(column)} = ${sql.ref(column)}`,
          sql`DELETE FROM ${sql.table(table)} WHERE true`,
        ]) {
          let changed: bigint | undefined;
          const outcome = await of()
            .mutate(testActor, scope, async (tx) => {
              changed = (await statement.execute(tx)).numAffectedRows;
              await sql`SET LOCAL ROLE pulse_reader`.execute(tx);
              await sql`SELECT set_config('app.scope', 'global', true), set_config('app.partner', '', true)`.execute(
                tx,
              );
              expect({ table, left: await foreign(tx, table, column) }).toEqual({ table, left: before });
              throw undo;
            })
            .catch((error) => error);
          tried += 1;
          // Refused for want of a grant, or applied to the rows in sight and undone.
          if (outcome !== undo)
            expect({ table, code: (outcome as { code?: string }).code }).toEqual({ table, code: 'control.forbidden' });
          else expect(Number(changed)).toBeLessThanOrEqual(1);
        }
      }
    }
    expect(tried).toBeGreaterThanOrEqual(54);
  });

  test('a scope of a tenant that is not one of the partner it is bound to sees nothing', async () => {
    for (const { table, column } of await tenantTables()) {
      const rows = async (scope: RowScope) =>
        (
          await of().read(scope, (tx) =>
            sql<{ tenant: string }>`SELECT DISTINCT ${sql.ref(column)} AS tenant FROM ${sql.table(table)}`.execute(tx),
          )
        ).rows;
      const bound = (tenantId: string): RowScope => ({ kind: 'tenant', tenantId, partnerId: 'alpha-partner' });
      expect({ table, rows: await rows(bound('beta')) }).toEqual({ table, rows: [] });
      expect({ table, rows: await rows(bound('alpha')) }).toEqual({ table, rows: [{ tenant: 'alpha' }] });
    }
  });

  test('a query without a tenant filter returns the own rows and no foreign one, in every table', async () => {
    const tables = await tenantTables();
    expect(tables.map(({ table }) => table)).toEqual(
      expect.arrayContaining([
        'api_keys',
        'audit_log',
        'decision_outcomes',
        'decisions',
        'people',
        'subscriptions',
        'tenants',
      ]),
    );
    const scopes: RowScope[] = [
      { kind: 'tenant', tenantId: 'alpha' },
      { kind: 'partner', partnerId: 'alpha-partner' },
    ];
    for (const scope of scopes) {
      for (const { table, column } of tables) {
        const { rows } = await of().read(scope, (tx) =>
          sql<{ tenant: string }>`SELECT DISTINCT ${sql.ref(column)} AS tenant FROM ${sql.table(table)}`.execute(tx),
        );
        expect({ table, rows }).toEqual({ table, rows: [{ tenant: 'alpha' }] });
      }
    }
    const all = await of().read(everything, (tx) => tx.selectFrom('tenants').select('id').orderBy('id').execute());
    expect(all).toEqual([{ id: 'alpha' }, { id: 'beta' }]);
  });

  test('the guard works on a table that forgot its policy: a foreign row is seen there', async () => {
    // Proves that the loop above can fail: the same query as a role that passes row-level security by sees both tenants.
    const seen = await asLogin(
      of(),
      async (tx) => (await sql`SELECT DISTINCT tenant_id FROM api_keys`.execute(tx)).rows.length,
    );
    expect(seen).toBe(2);
  });

  test('a transaction without a scope, or with an empty one, sees nothing', async () => {
    for (const { table } of await tenantTables()) {
      for (const scope of ['', 'nonsense', 'tenant', 'partner']) {
        const { rows } = await of().read(everything, async (tx) => {
          await sql`SELECT set_config('app.scope', ${scope}, true)`.execute(tx);
          return sql`SELECT 1 FROM ${sql.table(table)}`.execute(tx);
        });
        expect({ table, scope, rows: rows.length }).toEqual({ table, scope, rows: 0 });
      }
    }
  });

  test('a tenant cannot write a row of another tenant', async () => {
    const scope: RowScope = { kind: 'tenant', tenantId: 'alpha' };
    await expect(
      of().mutate(testActor, scope, async (tx) => {
        await tx
          .insertInto('subscriptions')
          .values({ id: 'x', tenant_id: 'beta', tier: 'small', plan: 'basic', valid_from: '2026-01-01T00:00:00Z' })
          .execute();
        return { result: null, audit };
      }),
    ).rejects.toMatchObject({ code: 'control.forbidden', status: 403 });
    const changed = await of().mutate(testActor, scope, async (tx) => {
      const result = await tx.updateTable('tenants').set({ name: 'taken' }).executeTakeFirst();
      return { result: result.numUpdatedRows, audit };
    });
    expect(changed).toBe(1n);
  });

  test('a tenant can neither raise its limits nor write its own counts', async () => {
    const scope: RowScope = { kind: 'tenant', tenantId: 'alpha' };
    const raised = await of().mutate(testActor, scope, async (tx) => {
      const result = await tx
        .updateTable('tenant_limits')
        .set({ overrides: '{"pointsPerSecond":1000000}' })
        .executeTakeFirst();
      return { result: result.numUpdatedRows, audit };
    });
    expect(raised).toBe(0n);
    await expect(
      of().mutate(testActor, scope, async (tx) => {
        await tx.updateTable('rejected_counts').set({ records: 1 }).execute();
        return { result: null, audit };
      }),
    ).rejects.toMatchObject({ code: 'control.forbidden' });
  });
}
