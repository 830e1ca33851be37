import { join } from 'node:path';
import { pino } from 'pino';
import { createControl } from 'streams/control';
import { systemClock } from 'streams/runtime';
import { createChdbStore, defineQuery, type Store } from 'streams/store';
import { z } from 'zod';
import type { Request } from './sender.ts';

/** Count and integer sum by `tenant metric hour`. */
export type Totals = Readonly<Record<string, { count: number; sum: number }>>;

export interface StoredTotals {
  readonly samples: Totals;
  readonly rollUps: Totals;
  readonly minuteRollUps: Totals;
  readonly events: Totals;
  readonly logRecords: Totals;
}

const Row = z.object({
  tenant: z.coerce.number(),
  name: z.string(),
  hour: z.coerce.number(),
  count: z.coerce.number(),
  sum: z.coerce.number(),
});
const query = (name: string) =>
  defineQuery({ file: new URL(`./sql/${name}.sql`, import.meta.url), params: z.object({}), row: Row });
const queries = {
  samples: query('samples'),
  rollUps: query('roll-ups'),
  minuteRollUps: query('minute-roll-ups'),
  events: query('events'),
  logRecords: query('log-records'),
};

/** What the oracle says of a reading. A reading that failed is neither right nor wrong. */
export type OracleVerdict = 'MATCH' | 'MISMATCH' | 'CHECK_ERROR';

/** Compares what is stored with the source: by kind, and there by tenant, name and hour. *Shape* `differences` has a line for each total that differs. */
export async function judge(
  source: StoredTotals,
  read: () => Promise<StoredTotals>,
): Promise<{ readonly verdict: OracleVerdict; readonly differences: readonly string[] }> {
  let stored: StoredTotals;
  try {
    stored = await read();
  } catch (error) {
    return { verdict: 'CHECK_ERROR', differences: [error instanceof Error ? error.message : String(error)] };
  }
  const differences = (Object.keys(source) as (keyof StoredTotals)[]).flatMap((kind) => {
    const [sent, held] = [source[kind], stored[kind]];
    return [...new Set([...Object.keys(sent), ...Object.keys(held)])].flatMap((key) => {
      const [wanted, found] = [show(sent[key]), show(held[key])];
      return wanted === found ? [] : [`${kind} ${key}: sent ${wanted}, stored ${found}`];
    });
  });
  return { verdict: differences.length === 0 ? 'MATCH' : 'MISMATCH', differences };
}

const show = (total: { count: number; sum: number } | undefined) =>
  total === undefined ? 'nothing' : `${total.count} of sum ${total.sum}`;

/** Reads the tables of a stopped server directly. */
export async function readStored(dataDir: string): Promise<StoredTotals> {
  const names = await readTenantNames(dataDir);
  const store = createChdbStore({
    dir: join(dataDir, 'store'),
    logger: pino({ level: 'silent' }),
    clock: systemClock,
  });
  await store.start();
  try {
    return await readTotals(store, names);
  } finally {
    await store.stop();
  }
}

/** Reads the totals of an open store; a tenant without a name goes by its number. */
export async function readTotals(store: Store, names: ReadonlyMap<number, string>): Promise<StoredTotals> {
  const entries = await Promise.all(
    Object.entries(queries).map(
      async ([key, definition]) => [key, toTotals(await store.query(definition, {}), names)] as const,
    ),
  );
  return Object.fromEntries(entries) as unknown as StoredTotals;
}

async function readTenantNames(dataDir: string): Promise<ReadonlyMap<number, string>> {
  const control = createControl({
    connection: { kind: 'pglite', dir: join(dataDir, 'control') },
    logger: pino({ level: 'silent' }),
  });
  await control.start();
  try {
    const rows = await control.read({ kind: 'global' }, (tx) =>
      tx.selectFrom('tenants').select(['id', 'number']).execute(),
    );
    return new Map(rows.map(({ id, number }) => [number, id]));
  } finally {
    await control.stop();
  }
}

function toTotals(rows: readonly z.infer<typeof Row>[], names: ReadonlyMap<number, string>): Totals {
  return Object.fromEntries(
    rows.map(({ tenant, name, hour, count, sum }) => [
      `${names.get(tenant) ?? tenant} ${name} ${hour}`,
      { count, sum },
    ]),
  );
}

/** The same totals from the source: each request that was acknowledged counts once. */
export function sentTotals(requests: Iterable<Request>): StoredTotals {
  const samples: Record<string, { count: number; sum: number }> = {};
  const events: Record<string, { count: number; sum: number }> = {};
  const logRecords: Record<string, { count: number; sum: number }> = {};
  const add = (totals: typeof samples, key: string, count: number, sum: number) => {
    const total = totals[key] ?? { count: 0, sum: 0 };
    totals[key] = { count: total.count + count, sum: total.sum + sum };
  };
  for (const { tenant, points, events: sent, logRecords: lines } of requests) {
    for (const { metric, hour, count, sum } of points) add(samples, `${tenant} ${metric} ${hour}`, count, sum);
    if (sent.count > 0) add(events, `${tenant} api_calls 0`, sent.count, sent.sum);
    if (lines > 0) add(logRecords, `${tenant} log 0`, lines, 0);
  }
  return { samples, rollUps: samples, minuteRollUps: samples, events, logRecords };
}
