import { z } from 'zod';
import { Signal } from '../contract/index.ts';
import { defineQuery } from './define-query.ts';
import { scaledDecimal } from './native-block.ts';
import type { Store } from './port.ts';

const params = z.object({ fromHour: z.number().int(), toHour: z.number().int(), tenant: z.number().int() });
const count = z.coerce.number().int();
const handedOver = defineQuery({
  file: new URL('./sql/ledger-handed-over.sql', import.meta.url),
  params,
  row: z.object({
    tenant: z.number(),
    signal: Signal,
    hour: z.number(),
    accepted: count,
    logged: count,
    duplicates: count,
    acceptedSum: z.string(),
    loggedSum: z.string(),
    duplicateSum: z.string(),
    newest: count,
  }),
});
const storedRows = defineQuery({
  file: new URL('./sql/ledger-stored.sql', import.meta.url),
  params,
  row: z.object({
    signal: Signal,
    tenant: z.number(),
    hour: z.number(),
    rows: count,
    points: count,
    total: z.string(),
  }),
});
const rolledRows = defineQuery({
  file: new URL('./sql/ledger-rolled.sql', import.meta.url),
  params,
  row: z.object({ tenant: z.number(), hour: z.number(), version: count, rows: count }),
});

const conflictRows = defineQuery({
  file: new URL('./sql/ledger-conflicts.sql', import.meta.url),
  params,
  row: z.object({ tenant: z.number(), hour: z.number(), conflicts: count, total: z.string() }),
});

/**
 * The conservation ledger of one (tenant, signal, hour).
 *
 * *Shape* balanced when accepted = logged and logged − duplicates = stored; for metrics also `storedPoints` = `rolledUp`. Sums are decimal strings of usage events, '0' otherwise.
 * `conflicts` are those of the duplicates that came with other content: usage events only.
 * `rolledUp` is null for other signals and for hours never rolled up; `rollUpPending` says that a newer batch touched the hour.
 * *Units* `hour` in seconds since the epoch, UTC hour of occurred-at.
 */
export interface LedgerRow {
  readonly tenant: number;
  readonly signal: Signal;
  readonly hour: number;
  readonly accepted: number;
  readonly logged: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly stored: number;
  readonly storedPoints: number;
  readonly rolledUp: number | null;
  readonly rollUpPending: boolean;
  readonly acceptedSum: string;
  readonly loggedSum: string;
  readonly duplicateSum: string;
  readonly conflictSum: string;
  readonly storedSum: string;
}

const limits = { timeoutSeconds: 60, maxMemoryBytes: 400 * 1024 * 1024 };
const keyOf = (row: { signal: string; tenant: number; hour: number }) => `${row.signal}/${row.tenant}/${row.hour}`;

function decimalText(scaled: bigint): string {
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(13, '0');
  const text = `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, '');
  return scaled < 0n ? `-${text}` : text;
}

/** Partitions that one FINAL reads at a time: each holds its own blocks in memory. */
const sliceSeconds = 10 * 86_400;

async function readStored(store: Store, asked: z.infer<typeof params>) {
  const rows: z.infer<typeof storedRows.row>[] = [];
  for (let fromHour = asked.fromHour; fromHour < asked.toHour; fromHour += sliceSeconds) {
    const toHour = Math.min(asked.toHour, fromHour + sliceSeconds);
    for (const row of await store.query(storedRows, { ...asked, fromHour, toHour }, limits)) rows.push(row);
  }
  return rows;
}

/**
 * Reads the ledger of the hours `[fromHour, toHour)`, of one tenant or of all, ordered by tenant, signal and hour.
 *
 * *Shape* rows appear for whatever was handed over *or* is stored: stored rows that nobody handed over show as accepted 0.
 * *Errors* those of the store: a failed reading is never a zero.
 */
export async function readLedger(
  store: Store,
  range: { tenant?: number; fromHour: number; toHour: number },
): Promise<LedgerRow[]> {
  const asked = { fromHour: range.fromHour, toHour: range.toHour, tenant: range.tenant ?? 0 };
  const [handovers, rolled, stored, conflicting] = await Promise.all([
    store.query(handedOver, asked, limits),
    store.query(rolledRows, asked, limits),
    readStored(store, asked),
    store.query(conflictRows, asked, limits),
  ]);
  const inTables = new Map<
    string,
    { tenant: number; signal: Signal; hour: number; rows: number; points: number; total: bigint }
  >();
  for (const row of stored) {
    const held = inTables.get(keyOf(row)) ?? { ...row, rows: 0, points: 0, total: 0n };
    held.rows += row.rows;
    held.points += row.points;
    held.total += scaledDecimal(row.total, 12);
    inTables.set(keyOf(row), held);
  }
  const rollUps = new Map(rolled.map((row) => [`metrics/${row.tenant}/${row.hour}`, row]));
  const conflicts = new Map(conflicting.map((row) => [`events/${row.tenant}/${row.hour}`, row]));
  const none = {
    accepted: 0,
    logged: 0,
    duplicates: 0,
    acceptedSum: '0',
    loggedSum: '0',
    duplicateSum: '0',
    newest: -1,
  };
  const byKey = new Map(handovers.map((row) => [keyOf(row), row]));
  for (const [key, { tenant, signal, hour }] of inTables) {
    if (!byKey.has(key)) byKey.set(key, { tenant, signal, hour, ...none });
  }
  const rows = [...byKey].map(([key, { newest, ...row }]): LedgerRow => {
    const held = inTables.get(key);
    const rollUp = rollUps.get(key);
    const conflict = conflicts.get(key);
    return {
      ...row,
      conflicts: conflict?.conflicts ?? 0,
      conflictSum: conflict?.total ?? '0',
      stored: held?.rows ?? 0,
      storedPoints: held?.points ?? 0,
      rolledUp: rollUp?.rows ?? null,
      rollUpPending: row.signal === 'metrics' && (rollUp === undefined || newest > rollUp.version),
      storedSum: decimalText(held?.total ?? 0n),
    };
  });
  return rows.sort(
    (a, b) => a.tenant - b.tenant || (a.signal < b.signal ? -1 : a.signal > b.signal ? 1 : 0) || a.hour - b.hour,
  );
}
