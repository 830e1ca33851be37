import { z } from 'zod';
import type { Store } from '../store/port.ts';
import { adHoc, insertColumns, type TableColumns, type TableDay } from './comparison.ts';
import { partitionsOf } from './plan.ts';
import type { Position, ReplayScope, ReplayTable } from './port.ts';
import { withinHours, withinPartition } from './tables.ts';

const limits = { timeoutSeconds: 900, maxMemoryBytes: 400 * 1024 * 1024 };
const rowCount = z.object({ rows: z.coerce.number() });

/** Live store and the name of the database with the rebuilt rows. Everything that writes to the live tables stands still meanwhile. */
export interface SwapPlace {
  readonly live: Store;
  readonly shadow: Store;
  readonly shadowName: string;
  readonly columns: TableColumns;
}

const partitionOfDay = (table: ReplayTable, day: string) => {
  const id = day.replaceAll('-', '');
  return table.partition === 'day' ? id : id.slice(0, 6);
};

/**
 * Lets the rebuilt rows of a partition take the place of the live ones.
 *
 * *Shape* first the rebuilt partition is completed with what lies outside of the scope in the live one, then one statement replaces the partition: a reader sees the old rows or the new
 * ones, and so does a restart after a crash.
 */
async function replacePartition(place: SwapPlace, table: ReplayTable, scope: ReplayScope, id: string): Promise<void> {
  const { live, shadow, shadowName } = place;
  const outside = `${withinPartition(table, id)} AND NOT (${withinHours(table, scope)})`;
  // Batches bring rows of other hours along: incomplete there, so the live ones count.
  await shadow.execute(`ALTER TABLE \`${table.name}\` DELETE WHERE ${outside} SETTINGS mutations_sync = 1`);
  const columns = insertColumns(place.columns, table.name);
  await live.execute(
    `INSERT INTO \`${shadowName}\`.\`${table.name}\` (${columns}) SELECT ${columns} FROM \`${table.name}\` FINAL WHERE ${outside}`,
    {},
    limits,
  );
  const [left] = await shadow.query(
    adHoc(
      'rebuilt-rows',
      `SELECT count() AS rows FROM \`${table.name}\` WHERE ${withinPartition(table, id)}`,
      rowCount,
    ),
    {},
  );
  // The engine refuses to replace by nothing, in case that was a mistake.
  const replacement =
    left?.rows === 0
      ? `DROP PARTITION ID '${id}'`
      : `REPLACE PARTITION ID '${id}' FROM \`${shadowName}\`.\`${table.name}\``;
  await live.execute(`ALTER TABLE \`${table.name}\` ${replacement}`);
}

/** Writes rows over by their key and deletes those that the rebuilt table lacks. Interrupted, it can be run again. */
async function replaceRows(place: SwapPlace, table: ReplayTable, scope: ReplayScope): Promise<void> {
  const { live, shadowName } = place;
  const within = withinHours(table, scope);
  const columns = insertColumns(place.columns, table.name);
  const shadow = `\`${shadowName}\`.\`${table.name}\``;
  await live.execute(
    `INSERT INTO \`${table.name}\` (${columns}) SELECT ${columns} FROM ${shadow} FINAL WHERE ${within}`,
    {},
    limits,
  );
  await live.execute(
    `ALTER TABLE \`${table.name}\` DELETE WHERE ${within} AND sipHash128(${columns}) NOT IN (SELECT sipHash128(${columns}) FROM ${shadow} FINAL WHERE ${within}) SETTINGS mutations_sync = 1`,
  );
}

/** Swaps what differs of a table. Answers what was replaced: partitions, or the table's name. */
export async function swapTable(
  place: SwapPlace,
  table: ReplayTable,
  scope: ReplayScope,
  days: readonly TableDay[],
  knownAt: readonly Position[],
): Promise<string[]> {
  const differing = days.filter(({ isEqual }) => !isEqual);
  if (differing.length === 0) return [];
  if (table.swap === 'append') {
    const statement = table.append?.(place.shadowName, withinHours(table, scope), knownAt);
    if (statement !== undefined) await place.live.execute(statement, {}, limits);
    return [table.name];
  }
  if (table.swap === 'rows') {
    await replaceRows(place, table, scope);
    return [table.name];
  }
  const wanted = new Set(differing.map(({ day }) => partitionOfDay(table, day)));
  const done: string[] = [];
  for (const id of partitionsOf(scope, table.partition)) {
    if (!wanted.has(id)) continue;
    await replacePartition(place, table, scope, id);
    done.push(`${table.name}/${id}`);
  }
  return done;
}
