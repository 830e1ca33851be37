import { Tenant, type TenantRecord } from '../contract/index.ts';
import type { Control } from '../control/port.ts';
import type { TenantDirectory } from './port.ts';

/**
 * Keeps all tenants in memory; what `refresh` failed to read stays as it was.
 *
 * *Bias* up to one refresh (5 s) behind a change made by another process.
 */
export function createTenantDirectory(control: Control): TenantDirectory {
  let byId: ReadonlyMap<string, TenantRecord> = new Map();
  let byNumber: ReadonlyMap<number, TenantRecord> = new Map();
  let list: readonly TenantRecord[] = [];
  let reading: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  async function read(): Promise<void> {
    const rows = await control.read({ kind: 'global' }, (tx) =>
      tx.selectFrom('tenants').selectAll().orderBy('id').execute(),
    );
    list = rows.map((row) => ({
      ...Tenant.parse({
        id: row.id,
        name: row.name,
        tier: row.tier,
        plan: row.plan,
        region: row.region,
        currency: row.currency,
        timeZone: row.time_zone,
        partnerId: row.partner_id,
        state: row.state,
        createdAt: row.created_at,
      }),
      number: row.number,
    }));
    byId = new Map(list.map((tenant) => [tenant.id, tenant]));
    byNumber = new Map(list.map((tenant) => [tenant.number, tenant]));
  }

  function begin(): Promise<void> {
    const started = read().finally(() => {
      if (reading === started) reading = null;
    });
    reading = started;
    return started;
  }

  return {
    byId: (id) => byId.get(id),
    byNumber: (number) => byNumber.get(number),
    list: () => list,
    refresh() {
      if (reading === null) return begin();
      // The one under way may have read before the caller's change: one more, shared by all who ask meanwhile.
      next ??= reading
        .catch(() => undefined)
        .then(() => {
          next = null;
          return begin();
        });
      return next;
    },
  };
}
