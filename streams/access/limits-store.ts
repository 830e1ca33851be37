import { type LimitsChange, TenantLimits, type TenantLimitsView } from '../contract/index.ts';
import type { Actor, Control, ControlTransaction, RowScope } from '../control/port.ts';

/** Limits of tenants in the control plane. */
export interface LimitsStore {
  find(scope: RowScope, tenantId: string): Promise<TenantLimitsView>;
  /** `replace`: what is not named goes back to its default; otherwise it stays. */
  change(actor: Actor, tenantId: string, change: LimitsChange, replace: boolean): Promise<TenantLimitsView>;
}

type Overrides = Record<string, unknown>;

/** Puts a change over overrides; null takes an override away, at both levels. */
export function mergeOverrides(overrides: Overrides, change: LimitsChange): Overrides {
  const merged: Overrides = { ...overrides };
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) continue;
    const inner =
      typeof value === 'object' && value !== null
        ? mergeOverrides(asObject(merged[name]), value as LimitsChange)
        : value;
    if (inner === null || (typeof inner === 'object' && Object.keys(inner).length === 0)) delete merged[name];
    else merged[name] = inner;
  }
  return merged;
}

const asObject = (value: unknown): Overrides =>
  typeof value === 'object' && value !== null ? (value as Overrides) : {};

export function createLimitsStore(deps: {
  readonly control: Control;
  now(): number;
  refresh(): Promise<void>;
}): LimitsStore {
  const { control, now } = deps;
  return {
    find: (scope, tenantId) => control.read(scope, async (tx) => toView(tenantId, await rowOf(tx, tenantId))),
    async change(actor, tenantId, change, replace) {
      const changed = await control.mutate(actor, { kind: 'global' }, async (tx) => {
        const row = await rowOf(tx, tenantId);
        const before = asObject(row?.overrides);
        const after = mergeOverrides(replace ? {} : before, change);
        const at = new Date(now()).toISOString();
        await tx
          .insertInto('tenant_limits')
          .values({ tenant_id: tenantId, overrides: JSON.stringify(after), updated_at: at })
          .onConflict((conflict) =>
            conflict.column('tenant_id').doUpdateSet({ overrides: JSON.stringify(after), updated_at: at }),
          )
          .execute();
        return {
          result: toView(tenantId, { overrides: after, updated_at: at }),
          audit: { action: 'tenant.limits', resource: `tenant:${tenantId}`, tenantId, before, after },
        };
      });
      await deps.refresh();
      return changed;
    },
  };
}

function rowOf(tx: ControlTransaction, tenantId: string) {
  return tx
    .selectFrom('tenant_limits')
    .select(['overrides', 'updated_at'])
    .where('tenant_id', '=', tenantId)
    .executeTakeFirst();
}

function toView(tenant: string, row: { overrides: unknown; updated_at: string } | undefined): TenantLimitsView {
  const overrides = asObject(row?.overrides);
  return { tenant, limits: TenantLimits.parse(overrides), overrides, updatedAt: row?.updated_at ?? null };
}
