import { randomUUID } from 'node:crypto';
import { createApiKey } from 'streams/access';
import {
  AppError,
  type DomainEventType,
  NewApiKey,
  type NewTenant,
  Tenant,
  type TenantId,
  TenantState,
} from 'streams/contract';
import type { Actor, Control, ControlTransaction, RowScope } from 'streams/control';
import { type LifecycleVerb, nextState } from './tenant-lifecycle.ts';

/** What may change after creation; id, currency and time zone may not, because issued figures rest on them. */
export type TenantChange = Partial<Pick<NewTenant, 'name' | 'tier' | 'plan' | 'region' | 'partnerId'>>;

export interface TenantRegistry {
  /** Creates a tenant, its first subscription and its first key. *Errors* `tenants.exists` (409), `tenants.unknown_partner` (400). */
  create(actor: Actor, tenant: NewTenant): Promise<{ tenant: Tenant; apiKey: string }>;
  list(
    scope: RowScope,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<{ items: Tenant[]; nextCursor: string | null }>;
  find(scope: RowScope, id: TenantId): Promise<Tenant>;
  /** A change of tier or plan ends the current subscription now and begins another: the invoice prorates both by seconds. */
  change(actor: Actor, id: TenantId, change: TenantChange): Promise<Tenant>;
  move(actor: Actor, id: TenantId, verb: LifecycleVerb): Promise<Tenant>;
}

export function createTenantRegistry(deps: {
  readonly control: Control;
  now(): number;
  refresh(): Promise<void>;
}): TenantRegistry {
  const { control, now, refresh } = deps;
  const global: RowScope = { kind: 'global' };
  const changed = async <T>(result: T): Promise<T> => {
    await refresh();
    return result;
  };

  return {
    async create(actor, tenant) {
      const created = await control.mutate(actor, global, async (tx) => {
        await refuseKnown(tx, tenant);
        const at = new Date(now()).toISOString();
        await tx
          .insertInto('tenants')
          .values({
            id: tenant.id,
            name: tenant.name,
            tier: tenant.tier,
            plan: tenant.plan,
            region: tenant.region,
            currency: tenant.currency,
            time_zone: tenant.timeZone,
            partner_id: tenant.partnerId,
            state: 'active',
            created_at: at,
          })
          .execute();
        await subscribe(tx, tenant.id, tenant.tier, tenant.plan, at);
        const key = await createApiKey(tx, tenant.id, NewApiKey.parse({}));
        const row = await readTenant(tx, tenant.id);
        return {
          result: { tenant: row, apiKey: key.apiKey },
          audit: { action: 'tenant.create', resource: `tenant:${tenant.id}`, tenantId: tenant.id, after: row },
          events: { type: 'tenant.created', tenantId: tenant.id, data: described(row) },
        };
      });
      return changed(created);
    },

    list: (scope, { limit, cursor }) =>
      control.read(scope, async (tx) => {
        let query = tx
          .selectFrom('tenants')
          .selectAll()
          .orderBy('id')
          .limit(limit + 1);
        if (cursor !== undefined) query = query.where('id', '>', cursor);
        const rows = await query.execute();
        const items = rows.slice(0, limit).map(toTenant);
        return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
      }),

    find: (scope, id) => control.read(scope, (tx) => readTenant(tx, id)),

    async change(actor, id, change) {
      const result = await control.mutate(actor, global, async (tx) => {
        const before = await readTenant(tx, id);
        if (before.state === 'cancelled') {
          throw new AppError('tenants.cancelled', 'a cancelled tenant cannot be changed', { status: 409 });
        }
        if (change.partnerId !== undefined && change.partnerId !== null) await requirePartner(tx, change.partnerId);
        const after = { ...before, ...change };
        await tx
          .updateTable('tenants')
          .set({
            name: after.name,
            tier: after.tier,
            plan: after.plan,
            region: after.region,
            partner_id: after.partnerId,
          })
          .where('id', '=', id)
          .execute();
        if (after.tier !== before.tier || after.plan !== before.plan) {
          const at = new Date(now()).toISOString();
          await endSubscription(tx, id, at);
          await subscribe(tx, id, after.tier, after.plan, at);
        }
        const stored = await readTenant(tx, id);
        return {
          result: stored,
          audit: { action: 'tenant.change', resource: `tenant:${id}`, tenantId: id, before, after: stored },
          events: {
            type: 'tenant.changed',
            tenantId: id,
            data: { before: described(before), after: described(stored) },
          },
        };
      });
      return changed(result);
    },

    async move(actor, id, verb) {
      const result = await control.mutate(actor, global, async (tx) => {
        const before = await readTenant(tx, id);
        const state = nextState(before.state, verb);
        await tx.updateTable('tenants').set({ state }).where('id', '=', id).execute();
        if (state === 'cancelled') await endSubscription(tx, id, new Date(now()).toISOString());
        return {
          result: { ...before, state },
          audit: {
            action: `tenant.${verb}`,
            resource: `tenant:${id}`,
            tenantId: id,
            before: { state: before.state },
            after: { state },
          },
          events: { type: eventOf[verb], tenantId: id, data: { before: before.state, after: state } },
        };
      });
      return changed(result);
    },
  };
}

const eventOf = {
  suspend: 'tenant.suspended',
  resume: 'tenant.resumed',
  cancel: 'tenant.cancelled',
} as const satisfies Record<LifecycleVerb, DomainEventType>;

/** What events tell of a tenant. */
function described({ name, tier, plan, region, currency, timeZone, partnerId }: Tenant) {
  return { name, tier, plan, region, currency, timeZone, partnerId };
}

async function refuseKnown(tx: ControlTransaction, tenant: NewTenant): Promise<void> {
  const known = await tx.selectFrom('tenants').select('id').where('id', '=', tenant.id).executeTakeFirst();
  if (known !== undefined) {
    throw new AppError('tenants.exists', `tenant ${tenant.id} is there already; ids are never used twice`, {
      status: 409,
      field: 'id',
    });
  }
  if (tenant.partnerId !== null) await requirePartner(tx, tenant.partnerId);
}

async function requirePartner(tx: ControlTransaction, partnerId: string): Promise<void> {
  const partner = await tx.selectFrom('partners').select('id').where('id', '=', partnerId).executeTakeFirst();
  if (partner === undefined) {
    throw new AppError('tenants.unknown_partner', `there is no partner ${partnerId}`, {
      status: 400,
      field: 'partnerId',
    });
  }
}

async function subscribe(
  tx: ControlTransaction,
  tenantId: string,
  tier: string,
  plan: string,
  at: string,
): Promise<void> {
  await tx
    .insertInto('subscriptions')
    .values({ id: randomUUID(), tenant_id: tenantId, tier, plan, valid_from: at, valid_to: null })
    .execute();
}

async function endSubscription(tx: ControlTransaction, tenantId: string, at: string): Promise<void> {
  await tx
    .updateTable('subscriptions')
    .set({ valid_to: at })
    .where('tenant_id', '=', tenantId)
    .where('valid_to', 'is', null)
    .execute();
}

async function readTenant(tx: ControlTransaction, id: string): Promise<Tenant> {
  const row = await tx.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new AppError('access.forbidden', 'no access to this tenant', { status: 403 });
  return toTenant(row);
}

function toTenant(row: {
  id: string;
  name: string;
  tier: string;
  plan: string;
  region: string;
  currency: string;
  time_zone: string;
  partner_id: string | null;
  state: string;
  created_at: string;
}): Tenant {
  return Tenant.parse({
    id: row.id,
    name: row.name,
    tier: row.tier,
    plan: row.plan,
    region: row.region,
    currency: row.currency,
    timeZone: row.time_zone,
    partnerId: row.partner_id,
    state: TenantState.parse(row.state),
    createdAt: row.created_at,
  });
}
