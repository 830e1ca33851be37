import { z } from 'zod';
import { noParams } from '../store/define-query.ts';
import type { Query, Store } from '../store/port.ts';
import type { Position, ReplayScope, ReplayTable } from './port.ts';
import { withinHours } from './tables.ts';

/** One UTC day of one table, live and rebuilt. */
export interface TableDay {
  readonly table: string;
  readonly day: string;
  readonly live: number;
  readonly rebuilt: number;
  readonly isEqual: boolean;
}

/** What of a table differs, as rows that stand on one side only; null when that could not be counted within its memory. */
export interface TableDifference {
  readonly table: string;
  readonly onlyLive: number | null;
  readonly onlyRebuilt: number | null;
}

export const adHoc = <R>(name: string, sql: string, row: z.ZodType<R>): Query<Record<string, never>, R> => ({
  name,
  sql,
  params: noParams as never,
  row,
});

const limits = { timeoutSeconds: 900, maxMemoryBytes: 400 * 1024 * 1024 };

/** Columns of every table: those that it keeps, and of these the ones that an insert names (the engine makes the others). */
export type TableColumns = ReadonlyMap<
  string,
  { readonly stored: readonly string[]; readonly written: readonly string[] }
>;

const columnRow = z.object({ table: z.string(), name: z.string(), kind: z.string() });

/** Reads the columns of all tables of a store's database, in their order. */
export async function readColumns(store: Store): Promise<TableColumns> {
  const sql =
    "SELECT table, name, default_kind AS kind FROM system.columns WHERE database = currentDatabase() AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') ORDER BY table, position";
  const rows = Map.groupBy(await store.query(adHoc('table-columns', sql, columnRow), {}), ({ table }) => table);
  return new Map(
    [...rows].map(([table, columns]) => [
      table,
      {
        stored: columns.map(({ name }) => name),
        written: columns.flatMap(({ name, kind }) => (kind === 'MATERIALIZED' ? [] : [name])),
      },
    ]),
  );
}

/** The list of columns that an insert into a table names. */
export const insertColumns = (columns: TableColumns, table: string): string => quote(columns.get(table)?.written ?? []);

const quote = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');

/** Rows that retention may have taken already say nothing about a replay. */
function stillKept(table: ReplayTable, columns: readonly string[]): string {
  if (!columns.includes('retention_days')) return '1';
  const from = table.name.startsWith('usage_') ? 'received' : table.time;
  return `toDate32(${from}) + toIntervalDay(retention_days) > toDate32(now('UTC'))`;
}

/** Canonical rows of a table as `(occurred, hash)`: 128 bits over every column that makes the row. */
function hashedRows(
  columns: TableColumns,
  table: ReplayTable,
  scope: ReplayScope,
  knownAt: readonly Position[],
  source = `\`${table.name}\``,
): string {
  const within = withinHours(table, scope);
  if (table.knownRows !== undefined) {
    return `SELECT at AS occurred, reinterpretAsUInt128(sipHash128(*)) AS hash FROM (${table.knownRows(source, within, knownAt)})`;
  }
  const stored = columns.get(table.name)?.stored ?? [];
  const compared = stored.filter((name) => table.except?.[name] === undefined);
  return `SELECT ${table.time} AS occurred, reinterpretAsUInt128(sipHash128(${quote(compared)})) AS hash FROM ${source} FINAL WHERE ${within} AND ${stillKept(table, stored)}`;
}

const dayRow = z.object({ day: z.string(), rows: z.coerce.number(), hash: z.string() });

async function days(
  store: Store,
  columns: TableColumns,
  table: ReplayTable,
  scope: ReplayScope,
  knownAt: readonly Position[],
) {
  const rows = hashedRows(columns, table, scope, knownAt);
  const sql = `SELECT toString(toDate(occurred)) AS day, toString(count()) AS rows, toString(sum(hash)) AS hash FROM (${rows}) GROUP BY day ORDER BY day`;
  return new Map(
    (await store.query(adHoc(`days-${table.name}`, sql, dayRow), {}, limits)).map((row) => [row.day, row]),
  );
}

/** Compares a table of two databases by count and hash of its canonical rows, day by day. */
export async function compareTable(
  stores: { readonly live: Store; readonly shadow: Store; readonly columns: TableColumns },
  table: ReplayTable,
  scope: ReplayScope,
  knownAt: readonly Position[],
): Promise<TableDay[]> {
  const live = await days(stores.live, stores.columns, table, scope, knownAt);
  const rebuilt = await days(stores.shadow, stores.columns, table, scope, knownAt);
  const none = { rows: 0, hash: '' };
  return [...new Set([...live.keys(), ...rebuilt.keys()])].toSorted().map((day) => {
    const [left, right] = [live.get(day) ?? none, rebuilt.get(day) ?? none];
    const isEqual = left.rows === right.rows && left.hash === right.hash;
    return { table: table.name, day, live: left.rows, rebuilt: right.rows, isEqual };
  });
}

/** Counts the rows on one side only. */
export async function countDifferences(
  place: { readonly live: Store; readonly shadowName: string; readonly columns: TableColumns },
  table: ReplayTable,
  scope: ReplayScope,
  knownAt: readonly Position[],
): Promise<TableDifference> {
  const { live, shadowName, columns } = place;
  const left = hashedRows(columns, table, scope, knownAt);
  const right = hashedRows(columns, table, scope, knownAt, `\`${shadowName}\`.\`${table.name}\``);
  const sql = `SELECT toString(countIf(side > 0)) AS onlyLive, toString(countIf(side < 0)) AS onlyRebuilt FROM (
  SELECT hash, sum(side) AS side FROM (SELECT hash, toInt8(1) AS side FROM (${left}) UNION ALL SELECT hash, toInt8(-1) FROM (${right})) GROUP BY hash)`;
  const shape = z.object({ onlyLive: z.coerce.number(), onlyRebuilt: z.coerce.number() });
  try {
    const [row] = await live.query(adHoc(`differences-${table.name}`, sql, shape), {}, limits);
    return { table: table.name, onlyLive: row?.onlyLive ?? 0, onlyRebuilt: row?.onlyRebuilt ?? 0 };
  } catch {
    // The days already say that it differs; how many rows do is a help to whoever looks.
    return { table: table.name, onlyLive: null, onlyRebuilt: null };
  }
}
