import { Decimal, type TenantRecord } from 'streams/contract';
import { defineQuery, type Store } from 'streams/store';
import { z } from 'zod';
import type { Position } from '../metering/known-at.ts';
import type { LedgerHour } from './reconcile.ts';

/** Which hours of the ledger are wanted. *Units* seconds since the epoch, half-open. */
export interface LedgerRange {
  readonly tenants: readonly TenantRecord[];
  readonly fromHour: number;
  readonly toHour: number;
}

const Count = z.union([z.string().regex(/^\d{1,15}$/), z.number().int().min(0)]).transform(Number);
const Exact = z.string().transform((text) => Decimal.parse(text));

/** Reads the ledger's figures from the tables themselves. *Errors* those of the store port. */
export function createStoreLedger(deps: {
  readonly store: Store;
  /** How far the telemetry consumer has committed: batches beyond are being stored. */
  storedPositions(): Promise<readonly Position[]>;
}): (range: LedgerRange) => Promise<LedgerHour[]> {
  const ledgerHours = defineQuery({
    file: new URL('./sql/ledger-hours.sql', import.meta.url),
    params: z.object({ tenants: z.string(), from: z.number().int(), to: z.number().int() }),
    row: z.object({
      signal: z.string(),
      tenant: z.number().int(),
      hour_start: Count,
      accepted: Count,
      logged: Count,
      duplicates: Count,
      stored: Count,
      rolled: Count,
      accepted_amount: Exact,
      logged_amount: Exact,
      duplicate_amount: Exact,
      stored_amount: Exact,
      newest: Count,
      log_partition: Count,
    }),
  });
  return async ({ tenants, fromHour, toHour }) => {
    if (tenants.length === 0) return [];
    // Read before the tables: a batch committed in between is stored by then.
    const positions = await deps.storedPositions();
    const next = new Map(positions.map((position) => [position.partition, position.next]));
    const numbers = JSON.stringify(tenants.map(({ number }) => number));
    const idOf = new Map(tenants.map((tenant) => [tenant.number, tenant.id]));
    const rows = await deps.store.query(
      ledgerHours,
      { tenants: numbers, from: fromHour, to: toHour },
      { timeoutSeconds: 120 },
    );
    return rows.map((row) => ({
      tenant: idOf.get(row.tenant) ?? String(row.tenant),
      signal: row.signal,
      hour: row.hour_start,
      accepted: row.accepted,
      logged: row.logged,
      duplicates: row.duplicates,
      stored: row.stored,
      rolledUp: row.signal === 'metrics' ? row.rolled : null,
      sums:
        row.signal === 'events'
          ? {
              accepted: row.accepted_amount,
              logged: row.logged_amount,
              duplicates: row.duplicate_amount,
              stored: row.stored_amount,
            }
          : null,
      inFlight: row.newest >= (next.get(row.log_partition) ?? 0),
    }));
  };
}
