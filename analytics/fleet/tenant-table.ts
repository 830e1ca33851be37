import type { TenantDirectory } from 'streams/access';
import type { TenantRecord } from 'streams/contract';
import type { Clock } from 'streams/runtime';
import type { Store } from 'streams/store';
import { type TenantRow, tenantRowsQuery } from './queries.ts';

/** Keeps table `tenants` a copy of the control plane's list, so that dashboards can name tenants. */
export interface TenantTable {
  /** Writes the tenants that are new or changed. Returns how many. */
  run(): Promise<number>;
}

const rowOf = (tenant: TenantRecord): TenantRow => ({
  tenantNumber: tenant.number,
  id: tenant.id,
  name: tenant.name,
  tier: tenant.tier,
  plan: tenant.plan,
  region: tenant.region,
  currency: tenant.currency,
  timeZone: tenant.timeZone,
  partner: tenant.partnerId ?? '',
  state: tenant.state,
  createdSeconds: Math.floor(Date.parse(tenant.createdAt) / 1000),
});
/** Every column in one order, so that equal rows give equal text. */
const textOf = (row: TenantRow) => JSON.stringify(rowColumns.map(([, , of]) => of(row)));

const rowColumns: readonly [name: string, type: string, of: (row: TenantRow) => string | number][] = [
  ['tenant', 'UInt32', (row) => row.tenantNumber],
  ['id', 'String', (row) => row.id],
  ['name', 'String', (row) => row.name],
  ['tier', 'String', (row) => row.tier],
  ['plan', 'String', (row) => row.plan],
  ['region', 'String', (row) => row.region],
  ['currency', 'String', (row) => row.currency],
  ['time_zone', 'String', (row) => row.timeZone],
  ['partner', 'String', (row) => row.partner],
  ['state', 'String', (row) => row.state],
  ['created', 'DateTime', (row) => row.createdSeconds],
];

/**
 * A copier of the tenant list. Reads the table once and afterwards compares in memory, so that a run without a change costs nothing.
 *
 * *Bias* behind the control plane by a run and the directory's own refresh. Several processes may run it: equal rows replace each other.
 */
export function createTenantTable(deps: {
  readonly store: Store;
  readonly tenants: Pick<TenantDirectory, 'list'>;
  readonly clock: Clock;
}): TenantTable {
  let known: Map<number, string> | undefined;
  return {
    async run() {
      known ??= new Map((await deps.store.query(tenantRowsQuery, {})).map((row) => [row.tenantNumber, textOf(row)]));
      const written = known;
      const fresh = deps.tenants
        .list()
        .map(rowOf)
        .filter((row) => written.get(row.tenantNumber) !== textOf(row));
      if (fresh.length === 0) return 0;
      const version = BigInt(deps.clock.now());
      const columns = rowColumns.map(([name, type, of]) => ({ name, type, values: fresh.map(of) }));
      await deps.store.insert(
        {
          table: 'tenants',
          rows: fresh.length,
          columns: [...columns, { name: 'version', type: 'UInt64', values: fresh.map(() => version) }],
        },
        `tenants-${version}-${fresh.map((row) => row.tenantNumber).join('-')}`,
      );
      for (const row of fresh) written.set(row.tenantNumber, textOf(row));
      return fresh.length;
    },
  };
}
