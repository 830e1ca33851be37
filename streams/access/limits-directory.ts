import { defaultLimits, TenantLimits } from '../contract/index.ts';
import type { Control } from '../control/port.ts';
import type { LimitsDirectory } from './port.ts';

/**
 * Keeps the limits of all tenants in memory; what `refresh` failed to read stays as it was.
 *
 * *Bias* up to one refresh (5 s) behind a change made by another process. Overrides that this version does not understand are reported and leave the tenant what it had.
 */
export function createLimitsDirectory(
  control: Control,
  onInvalid: (tenantId: string, error: Error) => void,
): LimitsDirectory {
  let byTenant: ReadonlyMap<string, TenantLimits> = new Map();
  let reading: Promise<void> = Promise.resolve();

  async function read(): Promise<void> {
    const rows = await control.read({ kind: 'global' }, (tx) =>
      tx.selectFrom('tenant_limits').select(['tenant_id', 'overrides']).execute(),
    );
    byTenant = new Map(
      rows.map(({ tenant_id: id, overrides }) => {
        const parsed = TenantLimits.safeParse(overrides);
        if (parsed.success) return [id, parsed.data];
        onInvalid(id, parsed.error);
        return [id, byTenant.get(id) ?? defaultLimits];
      }),
    );
  }

  return {
    of: (tenantId) => byTenant.get(tenantId) ?? defaultLimits,
    refresh() {
      // One after the other: a reading that began before a change must not overwrite the one after it.
      reading = reading.catch(() => undefined).then(read);
      return reading;
    },
  };
}
