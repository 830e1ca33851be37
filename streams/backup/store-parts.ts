import { lstat, mkdir, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { AppError, invariant } from '../contract/index.ts';
import { noParams } from '../store/define-query.ts';
import type { Store } from '../store/port.ts';
import { copyFile, filesBelow, fromDiskError, inParallel } from './file-copy.ts';
import type { BackupFile, Manifest } from './manifest.ts';

/** Tables that say how far other tables are: frozen before those, so that a mark never says more than stands there. */
const marks = ['schema_migrations', 'metered_positions', 'metered', 'sla_positions', 'sla_read', 'rolled', 'touched'];

const tableRow = z.object({ name: z.string(), path: z.string() });
const tablesQuery = {
  name: 'tables-on-disk',
  sql: "SELECT name, data_paths[1] AS path FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name",
  params: noParams as never,
  row: tableRow,
};

/** Where the embedded engine keeps its files, below the data directory. */
export const engineFolder = (dataDir: string) => join(dataDir, 'store', 'engine');

/** Parts of all tables held still as links, under a name. */
export interface FrozenStore {
  readonly tables: readonly { readonly name: string; readonly path: string }[];
  /** Copies them with all that the engine needs to open them, below `store/` of the backup. */
  copy(to: string): Promise<{ readonly store: Manifest['store']; readonly files: BackupFile[] }>;
  release(): Promise<void>;
}

/**
 * Freezes every table: links, made in some milliseconds whatever the tables hold.
 *
 * *Errors* `backup.remote_store` when the engine's files are not on this machine.
 */
export async function freezeStore(store: Store, dataDir: string, name: string): Promise<FrozenStore> {
  const engine = engineFolder(dataDir);
  const found = await store.query(tablesQuery, {});
  const first = found[0]?.path ?? '';
  const isHere = first.startsWith(`${engine}/`) && (await lstat(first).catch(() => null)) !== null;
  if (!isHere)
    throw new AppError(
      'backup.remote_store',
      'the tables are on a ClickHouse server: back them up there (BACKUP DATABASE, or by snapshots of its disks); pulse backup is for the embedded engine',
      { status: 409 },
    );
  const rank = (table: string) => (marks.includes(table) ? marks.indexOf(table) : marks.length);
  const tables = found
    .toSorted((a, b) => rank(a.name) - rank(b.name))
    .map((table) => ({ name: table.name, path: relative(engine, table.path) }));
  // The engine writes other characters of the name as codes.
  const label = name.replaceAll(/[^a-zA-Z0-9_]/g, '_');
  const shadow = join(engine, 'shadow', label);
  const release = async () => rm(shadow, { recursive: true, force: true });
  try {
    for (const table of tables) await store.execute(`ALTER TABLE \`${table.name}\` FREEZE WITH NAME '${label}'`);
  } catch (error) {
    await release();
    throw fromDiskError(error, engine);
  }
  return { tables, copy: (to) => copyFrozen({ engine, shadow, tables, to }), release };
}

async function copyFrozen(from: {
  engine: string;
  shadow: string;
  tables: FrozenStore['tables'];
  to: string;
}): Promise<{ store: Manifest['store']; files: BackupFile[] }> {
  const { engine, shadow, to } = from;
  const wanted: { readonly from: string; readonly path: string }[] = [];
  const want = (source: string, path: string) => wanted.push({ from: source, path });
  // Atomic databases: the definitions lie in a folder of the store, and `metadata` links to it.
  const databasePath = join('metadata', await readlink(join(engine, 'metadata', 'default')));
  for (const name of await readdir(join(engine, databasePath))) {
    if (name.endsWith('.sql')) want(join(engine, databasePath, name), join('store', databasePath, name));
  }
  for (const name of await readdir(join(engine, 'user_defined')).catch(() => [])) {
    want(join(engine, 'user_defined', name), join('store', 'user_defined', name));
  }
  const tables: Manifest['store']['tables'] = [];
  for (const { name, path } of from.tables) {
    want(join(engine, path, 'format_version.txt'), join('store', path, 'format_version.txt'));
    const frozen = join(shadow, path);
    const parts = await readdir(frozen).catch(() => []);
    let rows = 0;
    for (const part of parts) {
      rows += Number(await readFile(join(frozen, part, 'count.txt'), 'utf8'));
      for (const file of await filesBelow(join(frozen, part))) {
        want(join(frozen, part, file), join('store', path, part, file));
      }
    }
    invariant(parts.length > 0 || name !== 'schema_migrations', 'a store that has started has migrations on disk');
    tables.push({ name, path, parts: parts.length, rows });
  }
  const files = await inParallel(
    wanted,
    async ({ from: source, path }): Promise<BackupFile> => ({ path, ...(await copyFile(source, join(to, path))) }),
  );
  return { store: { databasePath, tables }, files };
}

/** Removes links that a killed process has left: they would keep the space of parts that are merged away. */
export async function releaseLeftovers(dataDir: string): Promise<void> {
  const shadow = join(engineFolder(dataDir), 'shadow');
  for (const name of await readdir(shadow).catch(() => [] as string[])) {
    if (name.startsWith('pulse_')) await rm(join(shadow, name), { recursive: true, force: true });
  }
}

/** Puts the links in place that make the copied folders a database of the engine. */
export async function linkDatabase(dataDir: string, manifest: Manifest): Promise<void> {
  const engine = engineFolder(dataDir);
  const metadata = join(engine, 'metadata');
  await mkdir(metadata, { recursive: true });
  await symlink(relative(metadata, join(engine, manifest.store.databasePath)), join(metadata, 'default'));
  for (const { path } of manifest.store.tables) await mkdir(join(engine, path, 'detached'), { recursive: true });
}
