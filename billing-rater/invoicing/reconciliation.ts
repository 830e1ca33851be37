import type { BillingPeriod, Handover, HandoverTotal, TenantRecord } from 'streams/contract';
import {
  handsTo,
  type KeptLedger,
  type LedgerEffort,
  type LedgerHourRow,
  type LedgerPage,
  type LedgerTotal,
} from 'streams/store';

const hourSeconds = 3600;

/** Which tenants and hours are asked about. `all`: these are all tenants, the tables need not be asked for each. */
export interface ReconciliationRange {
  readonly tenants: readonly TenantRecord[];
  readonly isAll: boolean;
  readonly fromHour: number;
  readonly toHour: number;
}

/** The UTC hours that a period touches. */
export const hoursOfPeriod = (period: BillingPeriod) => ({
  fromHour: Math.floor(period.startMs / 1000 / hourSeconds) * hourSeconds,
  toHour: Math.ceil(period.endMs / 1000 / hourSeconds) * hourSeconds,
});

const toIso = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

type Side = Pick<LedgerHourRow, 'item' | 'hop' | 'handed' | 'taken' | 'duplicates' | 'conflicts' | 'sums'>;

function sidesOf(row: Side): Pick<Handover, 'signal' | 'from' | 'to' | 'counts' | 'sums'> {
  const { handed, taken, duplicates, conflicts, sums } = row;
  const named = conflicts > 0;
  return {
    signal: row.item,
    from: handsTo[row.hop],
    to: row.hop,
    counts: { from: handed, to: taken, duplicates, ...(named ? { conflicts } : {}) },
    sums:
      sums === null
        ? null
        : {
            from: sums.handed,
            to: sums.taken,
            duplicates: sums.duplicates,
            ...(named ? { conflicts: sums.conflicts } : {}),
          },
  };
}

/** What the ledger says about a range, in words of the API. */
export interface ReconciliationAnswer {
  readonly totals: HandoverTotal[];
  readonly handovers: Handover[];
  readonly more: boolean;
}

/** The ledger in words of the API: tenants by id, hours as instants. Rows of tenants that nobody knows are left out. */
export function createReconciliation(ledger: Pick<KeptLedger, 'read'>) {
  return {
    async read(range: ReconciliationRange, page: LedgerPage, effort?: LedgerEffort): Promise<ReconciliationAnswer> {
      const { tenants, isAll, fromHour, toHour } = range;
      if (tenants.length === 0) return { totals: [], handovers: [], more: false };
      const ids = new Map(tenants.map(({ number, id }) => [number, id]));
      const numbers = isAll ? {} : { tenants: [...ids.keys()] };
      const { totals, rows, more } = await ledger.read({ fromHour, toHour, ...numbers }, page, effort);
      return {
        totals: totals.flatMap((row: LedgerTotal): HandoverTotal[] => {
          const tenant = ids.get(row.tenant);
          if (tenant === undefined) return [];
          const { hours, balanced, pending, mismatched } = row;
          return [{ tenant, ...sidesOf(row), hours, balanced, pending, mismatched }];
        }),
        handovers: rows.flatMap((row): Handover[] => {
          const tenant = ids.get(row.tenant);
          return tenant === undefined ? [] : [toHandover(tenant, row)];
        }),
        more,
      };
    },
  };
}

function toHandover(tenant: string, row: LedgerHourRow): Handover {
  const { seconds, state } = row;
  return {
    tenant,
    ...sidesOf(row),
    hour: toIso(row.hour),
    ...(seconds === null ? {} : { seconds: { from: seconds.handed, to: seconds.taken } }),
    state,
  };
}

export type ReconciliationReader = ReturnType<typeof createReconciliation>;
