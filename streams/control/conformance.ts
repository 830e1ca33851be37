import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DomainEventDraft } from '../contract/index.ts';
import type { KyselyControl } from './kysely-control.ts';
import type { ControlTransaction, RowScope } from './port.ts';
import { insertTenant, type TestControl, testActor } from './test-control.ts';

/** What every backend of the control plane guarantees; `start` opens an empty one. */
export function controlConformance(start: () => Promise<TestControl>): void {
  let control: KyselyControl;
  let end: () => Promise<void>;
  const audit = { action: 'test.write', resource: 'test', tenantId: null };
  const everything: RowScope = { kind: 'global' };

  const asSuperuser = (run: (tx: ControlTransaction) => Promise<unknown>) =>
    control.mutate(testActor, everything, async (tx) => {
      await sql`RESET ROLE`.execute(tx);
      return { result: await run(tx), audit };
    });

  async function seed(tx: ControlTransaction, tenant: string, partner: string): Promise<void> {
    await tx.insertInto('partners').values({ id: partner, name: partner, tier: 'gold' }).execute();
    await insertTenant(tx, tenant, { partner_id: partner });
    const at = '2026-11-01T00:00:00.000Z';
    await tx
      .insertInto('subscriptions')
      .values({ id: `s-${tenant}`, tenant_id: tenant, tier: 'small', plan: 'basic', valid_from: at })
      .execute();
    await tx
      .insertInto('people')
      .values({
        id: `p-${tenant}`,
        email: `${tenant}@example.org`,
        name: 'A',
        role: 'tenant',
        tenant_id: tenant,
        partner_id: null,
      })
      .execute();
    await tx
      .insertInto('api_keys')
      .values({
        id: `k-${tenant}`,
        tenant_id: tenant,
        name: 'k',
        prefix: tenant,
        hash: 'a'.repeat(64),
        scopes: ['backfill'],
      })
      .execute();
    const document = JSON.stringify({ tenant });
    await tx
      .insertInto('decisions')
      .values({
        id: `d-${tenant}`,
        tenant_id: tenant,
        kind: 'scale',
        idempotency_key: tenant,
        proposed_at: at,
        document,
      })
      .execute();
    await tx
      .insertInto('decision_outcomes')
      .values({ decision_id: `d-${tenant}`, tenant_id: tenant, state: 'open', at, document })
      .execute();
    await tx.insertInto('tenant_limits').values({ tenant_id: tenant, overrides: '{}' }).execute();
    const ends = '2026-12-01T00:00:00.000Z';
    await tx
      .insertInto('sealed_periods')
      .values({
        tenant_id: tenant,
        period: '2026-11',
        starts_at: at,
        ends_at: ends,
        sealed_at: ends,
        sealed_by: 'operator',
        known_at: '0:1',
        totals: '{}',
      })
      .execute();
    await tx
      .insertInto('ledger_alerts')
      .values({ tenant_id: tenant, subject: 'metrics', hop: 'accepted', hour: at, opened_at: at, document: '{}' })
      .execute();
  }

  const suspended = (tenantId: string, id?: string): DomainEventDraft => ({
    type: 'tenant.suspended',
    tenantId,
    data: { before: 'active', after: 'suspended' },
    ...(id !== undefined && { id }),
  });

  const rejected = (tenant: string) => ({
    tenant_id: tenant,
    hour: '2026-11-01T00:00:00.000Z',
    signal: 'metrics',
    reason: 'too_old',
    records: 3,
    last_at: '2026-11-01T00:10:00.000Z',
    detail: '',
  });

  beforeAll(async () => {
    ({ control, end } = await start());
    for (const tenant of ['alpha', 'beta']) {
      await control.mutate(testActor, everything, async (tx) => {
        await seed(tx, tenant, `${tenant}-partner`);
        return { result: null, audit: { ...audit, tenantId: tenant }, events: suspended(tenant) };
      });
      await control.tally((tx) => tx.insertInto('rejected_counts').values(rejected(tenant)).execute());
    }
  });
  afterAll(() => end());

  /** Every table that carries a tenant, read from the catalogue: a table added later is tested without a change here. */
  async function tenantTables(): Promise<{ table: string; column: string }[]> {
    const { rows } = await control.read(everything, (tx) =>
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
    expect(await control.read(everything, unguarded)).toEqual([]);
  });

  test('C30: a new table without a policy, and a new role, see nothing; the check above names the table', async () => {
    const undo = new Error('undo');
    const attempts: unknown[] = [];
    await expect(
      asSuperuser(async (tx) => {
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
    const { rows } = await control.read(everything, (tx) =>
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
        const before = await control.read(everything, (tx) => foreign(tx, table, column));
        for (const statement of [
          sql`UPDATE ${sql.table(table)} SET ${sql.ref(column)} = ${sql.ref(column)}`,
          sql`DELETE FROM ${sql.table(table)} WHERE true`,
        ]) {
          let changed: bigint | undefined;
          const outcome = await control
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
          await control.read(scope, (tx) =>
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
        const { rows } = await control.read(scope, (tx) =>
          sql<{ tenant: string }>`SELECT DISTINCT ${sql.ref(column)} AS tenant FROM ${sql.table(table)}`.execute(tx),
        );
        expect({ table, rows }).toEqual({ table, rows: [{ tenant: 'alpha' }] });
      }
    }
    const all = await control.read(everything, (tx) => tx.selectFrom('tenants').select('id').orderBy('id').execute());
    expect(all).toEqual([{ id: 'alpha' }, { id: 'beta' }]);
  });

  test('the guard works on a table that forgot its policy: a foreign row is seen there', async () => {
    // Proves that the loop above can fail: the same query as a role that passes row-level security by sees both tenants.
    const seen = await asSuperuser(
      async (tx) => (await sql`SELECT DISTINCT tenant_id FROM api_keys`.execute(tx)).rows.length,
    );
    expect(seen).toBe(2);
  });

  test('a transaction without a scope, or with an empty one, sees nothing', async () => {
    for (const { table } of await tenantTables()) {
      for (const scope of ['', 'nonsense', 'tenant', 'partner']) {
        const { rows } = await control.read(everything, async (tx) => {
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
      control.mutate(testActor, scope, async (tx) => {
        await tx
          .insertInto('subscriptions')
          .values({ id: 'x', tenant_id: 'beta', tier: 'small', plan: 'basic', valid_from: '2026-01-01T00:00:00Z' })
          .execute();
        return { result: null, audit };
      }),
    ).rejects.toMatchObject({ code: 'control.forbidden', status: 403 });
    const changed = await control.mutate(testActor, scope, async (tx) => {
      const result = await tx.updateTable('tenants').set({ name: 'taken' }).executeTakeFirst();
      return { result: result.numUpdatedRows, audit };
    });
    expect(changed).toBe(1n);
  });

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

  test('a tenant can neither raise its limits nor write its own counts', async () => {
    const scope: RowScope = { kind: 'tenant', tenantId: 'alpha' };
    const raised = await control.mutate(testActor, scope, async (tx) => {
      const result = await tx
        .updateTable('tenant_limits')
        .set({ overrides: '{"pointsPerSecond":1000000}' })
        .executeTakeFirst();
      return { result: result.numUpdatedRows, audit };
    });
    expect(raised).toBe(0n);
    await expect(
      control.mutate(testActor, scope, async (tx) => {
        await tx.updateTable('rejected_counts').set({ records: 1 }).execute();
        return { result: null, audit };
      }),
    ).rejects.toMatchObject({ code: 'control.forbidden' });
  });

  const leave = (...events: DomainEventDraft[]) =>
    control.mutate(testActor, everything, async () => ({ result: null, audit, events }));
  const fence = async () => {
    const { taken } = await control.leaseTable({ leaseMs: 10_000, isAlone: true }).round([], ['relay']);
    const [first] = taken;
    if (first === undefined) throw new Error('no lease');
    return first;
  };

  test('a mutation leaves its events beside its audit record, or neither', async () => {
    const { outbox } = control;
    await outbox.markSent(await outbox.waiting(100), await fence());
    let woken = 0;
    const end = outbox.onWritten(() => {
      woken += 1;
    });
    await leave(suspended('alpha'), suspended('beta'));
    await expect(
      control.mutate(testActor, everything, async (tx) => {
        await insertTenant(tx, 'alpha');
        return { result: null, audit, events: suspended('alpha') };
      }),
    ).rejects.toMatchObject({ code: 'control.conflict' });
    await expect(
      // A type that the catalogue knows and that nothing sends yet.
      leave({ type: 'service.provisioned', tenantId: 'alpha', data: { tier: 'small', namespace: 'x' } }),
    ).rejects.toThrow('nothing may send service.provisioned');
    end();
    expect(woken).toBe(1);
    const waiting = await outbox.waiting(100);
    expect(waiting.map(({ event }) => [event.type, event.tenantid, event.specversion, event.correlationid])).toEqual([
      ['tenant.suspended', 'alpha', '1.0', 'test'],
      ['tenant.suspended', 'beta', '1.0', 'test'],
    ]);
    expect(await outbox.backlog()).toMatchObject({ events: 2 });
  });

  test('events come in the order of the commits, also of many at once, and each once under an id of its own', async () => {
    const { outbox } = control;
    await outbox.markSent(await outbox.waiting(100), await fence());
    const audited = async () =>
      (
        await control.read(everything, (tx) =>
          tx.selectFrom('audit_log').select(['seq', 'resource']).orderBy('seq').execute(),
        )
      )
        .filter(({ resource }) => resource.startsWith('order-'))
        .map(({ resource }) => resource);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        control.mutate(testActor, everything, async () => ({
          result: null,
          audit: { ...audit, resource: `order-${index}` },
          events: suspended('alpha', `order-${index}`),
        })),
      ),
    );
    await leave(suspended('alpha', 'order-3'));
    expect((await outbox.waiting(100)).map(({ event }) => event.id)).toEqual(await audited());
  });

  test('marks and drops of a relay that lost its lease are refused; what is not sent is never dropped', async () => {
    const { outbox } = control;
    await leave(suspended('alpha'));
    const waiting = await outbox.waiting(100);
    const stale = await fence();
    const current = await fence();
    await expect(outbox.markSent(waiting, stale)).rejects.toMatchObject({ code: 'lease.lost' });
    await expect(outbox.drop(0, stale)).rejects.toMatchObject({ code: 'lease.lost' });
    expect(await outbox.waiting(100)).toEqual(waiting);
    await outbox.markSent(waiting.slice(0, -1), current);
    await outbox.drop(0, current);
    expect(await outbox.waiting(100)).toEqual(waiting.slice(-1));
    expect(await outbox.drop(0, current)).toBe(0);
  });

  test('nobody but a mutation can make up an event, and only the relay marks one', async () => {
    const row = { id: 'forged', type: 'x', tenant_id: 'alpha', at: '2026-11-01T00:00:00Z', document: '{}' };
    const writes: readonly ((tx: ControlTransaction) => Promise<unknown>)[] = [
      (tx) => tx.insertInto('outbox').values(row).execute(),
      (tx) => tx.updateTable('outbox').set({ sent_at: row.at }).execute(),
      (tx) => tx.deleteFrom('outbox').execute(),
    ];
    for (const write of writes) {
      await expect(
        control.mutate(testActor, everything, async (tx) => ({ result: await write(tx), audit })),
      ).rejects.toMatchObject({ code: 'control.forbidden' });
    }
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
        await expect(asSuperuser((tx) => statement.execute(tx))).rejects.toMatchObject({ code: 'control.append_only' });
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
      asSuperuser(async (tx) => {
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
