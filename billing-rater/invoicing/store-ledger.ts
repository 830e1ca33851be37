import { Decimal, type TenantRecord } from 'streams/contract';
import { defineQuery, readLedger, type Store } from 'streams/store';
import { z } from 'zod';
import type { Position } from '../metering/known-at.ts';
import type { LedgerHour } from './reconcile.ts';

/** Which hours of the ledger are wanted. *Units* seconds since the epoch, half-open. */
export interface LedgerRange {
  readonly tenants: readonly TenantRecord[];
  readonly fromHour: number;
  readonly toHour: number;
}

const keyOf = (row: { signal: string; tenant: number; hour: number }) => `${row.signal}/${row.tenant}/${row.hour}`;

/** Reads the ledger of tenants from the store. *Errors* those of the store port. */
export function createStoreLedger(deps: {
  readonly store: Store;
  /** How far the telemetry consumer has committed: batches beyond are being stored. */
  storedPositions(): Promise<readonly Position[]>;
}): (range: LedgerRange) => Promise<LedgerHour[]> {
  const hoursInFlight = defineQuery({
    file: new URL('./sql/hours-in-flight.sql', import.meta.url),
    params: z.object({ positions: z.string(), from: z.number().int(), to: z.number().int() }),
    row: z.object({ signal: z.string(), tenant: z.number().int(), hour: z.number().int() }),
  });
  return async ({ tenants, fromHour, toHour }) => {
    const [first] = tenants;
    if (first === undefined) return [];
    // The positions before the figures and the hours in flight after them: a batch that was stored meanwhile counts as in flight.
    const positions = await deps.storedPositions();
    const only = tenants.length === 1 ? { tenant: first.number } : {};
    const rows = await readLedger(deps.store, { ...only, fromHour, toHour });
    const flying = await deps.store.query(hoursInFlight, {
      positions: JSON.stringify(positions.map(({ partition, next }) => [partition, next])),
      from: fromHour,
      to: toHour,
    });
    const inFlight = new Set(flying.map(keyOf));
    const idOf = new Map(tenants.map((tenant) => [tenant.number, tenant.id]));
    return rows.flatMap((row): LedgerHour[] => {
      const tenant = idOf.get(row.tenant);
      if (tenant === undefined) return [];
      const { signal, hour, accepted, logged, duplicates, conflicts, stored, storedPoints, rollUpPending } = row;
      return [
        {
          tenant,
          signal,
          hour,
          accepted,
          logged,
          duplicates,
          conflicts,
          stored,
          rollUp: signal === 'metrics' ? { points: storedPoints, counted: row.rolledUp ?? 0, rollUpPending } : null,
          sums:
            signal === 'events'
              ? {
                  accepted: Decimal.parse(row.acceptedSum),
                  logged: Decimal.parse(row.loggedSum),
                  duplicates: Decimal.parse(row.duplicateSum),
                  conflicts: Decimal.parse(row.conflictSum),
                  stored: Decimal.parse(row.storedSum),
                }
              : null,
          inFlight: inFlight.has(keyOf(row)),
        },
      ];
    });
  };
}
