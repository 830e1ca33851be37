import { sql } from 'kysely';
import type { DomainEventDraft } from '../contract/index.ts';
import type { KyselyControl } from './kysely-control.ts';
import type { ControlTransaction, RowScope } from './port.ts';
import { insertTenant, testActor } from './test-control.ts';

export const audit = { action: 'test.write', resource: 'test', tenantId: null };
export const everything: RowScope = { kind: 'global' };

/** A row in every table that carries a tenant. */
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

export const suspended = (tenantId: string, id?: string): DomainEventDraft => ({
  type: 'tenant.suspended',
  tenantId,
  data: { before: 'active', after: 'suspended' },
  ...(id !== undefined && { id }),
});

export const rejected = (tenant: string) => ({
  tenant_id: tenant,
  hour: '2026-11-01T00:00:00.000Z',
  signal: 'metrics',
  reason: 'too_old',
  records: 3,
  last_at: '2026-11-01T00:10:00.000Z',
  detail: '',
});

/** Two tenants, `alpha` and `beta`, each with a partner of its own and a row in every table. */
export async function seedTwoTenants(control: KyselyControl): Promise<void> {
  for (const tenant of ['alpha', 'beta']) {
    await control.mutate(testActor, everything, async (tx) => {
      await seed(tx, tenant, `${tenant}-partner`);
      return { result: null, audit: { ...audit, tenantId: tenant }, events: suspended(tenant) };
    });
    await control.tally((tx) => tx.insertInto('rejected_counts').values(rejected(tenant)).execute());
  }
}

/** Runs as the login itself: a superuser on PGlite, the owner of the tables on a server. */
export const asLogin = (control: KyselyControl, run: (tx: ControlTransaction) => Promise<unknown>) =>
  control.mutate(testActor, everything, async (tx) => {
    await sql`RESET ROLE`.execute(tx);
    return { result: await run(tx), audit };
  });
