import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { ClientBase } from 'pg';
import { AppError } from '../contract/index.ts';
import { type Migration, migrate, pendingMigrations, readMigrations } from '../control/migrations.ts';
import type { Control, ControlTransaction } from '../control/port.ts';
import { damaged, type Manifest } from './manifest.ts';

/*
 * A dump is one line a row: JSON [number of the table, row as the database writes it in JSON]. Rows are ordered by that text, so the same rows give the same bytes on PGlite and on PostgreSQL.
 */

type ControlManifest = Manifest['control'];

interface TableInfo {
  readonly name: string;
  /** Tables that it refers to. */
  readonly refers: readonly string[];
}

const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;

const tablesQuery = `
  SELECT c.relname AS name, coalesce(array_agg(DISTINCT r.relname) FILTER (WHERE r.relname IS NOT NULL AND r.relname <> c.relname), '{}')::text[] AS refers
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
  LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'
  LEFT JOIN pg_class r ON r.oid = k.confrelid
  WHERE c.relkind = 'r' AND c.relname <> 'pulse_migrations'
  GROUP BY c.relname ORDER BY c.relname`;

const sequencesQuery =
  "SELECT sequencename AS name, last_value::text AS last FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL ORDER BY sequencename";

/** Tables in an order in which each comes after those that it refers to. */
export function inReferenceOrder(tables: readonly TableInfo[]): TableInfo[] {
  const byName = new Map(tables.map((table) => [table.name, table]));
  const done = new Map<string, TableInfo>();
  const visit = (table: TableInfo, path: readonly string[]) => {
    if (done.has(table.name)) return;
    if (path.includes(table.name))
      throw new Error(`tables refer to each other in a circle: ${[...path, table.name].join(', ')}`);
    for (const name of table.refers) {
      const referred = byName.get(name);
      if (referred !== undefined) visit(referred, [...path, table.name]);
    }
    done.set(table.name, table);
  };
  for (const table of tables) visit(table, []);
  return [...done.values()];
}

/** One statement sees one moment, also on a server where others write meanwhile. */
function everyRow(tables: readonly TableInfo[]): string {
  const parts = tables.map(
    ({ name }, index) =>
      `SELECT ${index} AS place, to_jsonb(x)::text COLLATE "C" AS line FROM ${identifier(name)} AS x`,
  );
  return `${parts.join(' UNION ALL ')} ORDER BY place, line`;
}

const fetchRows = 1000;
/** A dump is held in memory until it is checked: the control plane has rows by the thousand. */
const lineBytesMax = 1024 * 1024 * 1024;

type Execute = <Row>(text: string) => Promise<readonly Row[]>;

async function readRows(
  execute: Execute,
  onLine: (line: string, table: string, row: string) => void,
): Promise<Pick<ControlManifest, 'tables' | 'sequences'>> {
  const tables = inReferenceOrder(await execute<TableInfo>(tablesQuery));
  const sequences = await execute<{ name: string; last: string }>(sequencesQuery);
  const found = tables.map(({ name }) => ({ name, rows: 0, hash: createHash('sha256') }));
  await execute(`DECLARE pulse_dump NO SCROLL CURSOR FOR ${everyRow(tables)}`);
  let bytes = 0;
  for (;;) {
    const rows = await execute<{ place: number; line: string }>(`FETCH ${fetchRows} FROM pulse_dump`);
    for (const { place, line } of rows) {
      const table = found[place];
      if (table === undefined) continue;
      table.rows += 1;
      table.hash.update(line).update('\n');
      bytes += line.length;
      if (bytes > lineBytesMax)
        throw new AppError(
          'backup.control_too_large',
          'the control plane does not fit into one dump: use the means of its server',
        );
      onLine(`[${place},${line}]`, table.name, line);
    }
    if (rows.length < fetchRows) break;
  }
  await execute('CLOSE pulse_dump');
  return {
    tables: found.map(({ name, rows, hash }) => ({ name, rows, sha256: hash.digest('hex') })),
    sequences: [...sequences],
  };
}

const executeIn =
  (tx: ControlTransaction): Execute =>
  async <Row>(text: string) =>
    (await sql.raw<Row>(text).execute(tx as unknown as Kysely<unknown>)).rows;

/** Reads the whole control plane as of one moment. *Shape* `onLine` gets one line a row, see above. */
export async function dumpControl(control: Control, onLine: (line: string) => void): Promise<ControlManifest> {
  const migrations = (await readMigrations()).map(({ name, checksum }) => ({ name, checksum }));
  const { rows, audit } = await control.read({ kind: 'global' }, async (tx) => {
    const execute = executeIn(tx);
    await execute("SELECT set_config('TimeZone', 'UTC', true), set_config('extra_float_digits', '3', true)");
    let head = { records: 0, headHash: '' };
    const seen = await readRows(execute, (line, table, row) => {
      // The head of the chain as of the dump itself.
      if (table === 'audit_head') {
        const { records, hash } = JSON.parse(row) as { records: number; hash: string };
        head = { records, headHash: hash };
      }
      onLine(line);
    });
    return { rows: seen, audit: head };
  });
  return { migrations, ...rows, audit };
}

/** Steps of this program that a backup has seen. *Errors* `backup.newer_version` when it has seen others. */
function stepsOf(known: readonly Migration[], dump: ControlManifest): Migration[] {
  try {
    pendingMigrations(known, dump.migrations);
  } catch (cause) {
    throw new AppError(
      'backup.newer_version',
      `the control plane of the backup is not one that this version of Pulse knows: ${cause instanceof Error ? cause.message : ''}`,
      { status: 409, cause },
    );
  }
  const names = new Set(dump.migrations.map(({ name }) => name));
  return known.filter(({ name }) => names.has(name));
}

const batchRows = 500;

/**
 * Fills an empty database with a dump: schema as of the backup, rows, sequences, then the steps that this version adds.
 *
 * *Errors* `backup.target_not_empty`, `backup.newer_version`, `backup.damaged` when what stands there afterwards is not what the manifest says; nothing is left then.
 */
export async function loadControl(client: ClientBase, dump: ControlManifest, lines: readonly string[]): Promise<void> {
  const known = await readMigrations();
  await migrate(client, stepsOf(known, dump));
  await client.query('BEGIN');
  try {
    await client.query("SELECT set_config('TimeZone', 'UTC', true), set_config('extra_float_digits', '3', true)");
    const { rows: standing } = await client.query<{ records: string }>('SELECT records::text FROM audit_head');
    if (standing[0]?.records !== '0')
      throw new AppError(
        'backup.target_not_empty',
        'the control-plane database has been used: restore into an empty one',
        {
          status: 409,
        },
      );
    await insertRows(client, dump, lines);
    for (const { name, last } of dump.sequences)
      await client.query('SELECT setval($1::regclass, $2)', [identifier(name), last]);
    const execute: Execute = async <Row>(text: string) => (await client.query(text)).rows as Row[];
    const found = await readRows(execute, () => undefined);
    for (const wanted of dump.tables) {
      const table = found.tables.find(({ name }) => name === wanted.name);
      if (table?.rows !== wanted.rows || table.sha256 !== wanted.sha256)
        throw damaged(`table ${wanted.name} of the control plane came out differently`, { table: wanted.name });
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  await migrate(client, known);
}

async function insertRows(client: ClientBase, dump: ControlManifest, lines: readonly string[]): Promise<void> {
  const names = dump.tables.map(({ name }) => name);
  // Rows that a migration brings along stand in the dump too.
  for (const name of names.toReversed()) {
    await client.query(`ALTER TABLE ${identifier(name)} DISABLE TRIGGER USER`);
    await client.query(`DELETE FROM ${identifier(name)}`);
  }
  let place = -1;
  let batch: string[] = [];
  const flush = async () => {
    const name = names[place];
    if (batch.length === 0 || name === undefined) return;
    const { rows } = await client.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
      [identifier(name)],
    );
    const columns = rows.map((column) => identifier(column.name)).join(', ');
    await client.query(
      `INSERT INTO ${identifier(name)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM jsonb_populate_recordset(NULL::${identifier(name)}, $1::jsonb)`,
      [`[${batch.join(',')}]`],
    );
    batch = [];
  };
  for (const line of lines) {
    const comma = line.indexOf(',');
    const at = Number(line.slice(1, comma));
    if (!Number.isInteger(at) || at < place || at >= names.length)
      throw damaged('the dump of the control plane is out of order');
    if (at !== place || batch.length >= batchRows) await flush();
    place = at;
    batch.push(line.slice(comma + 1, -1));
  }
  await flush();
  for (const name of names) await client.query(`ALTER TABLE ${identifier(name)} ENABLE TRIGGER USER`);
}
