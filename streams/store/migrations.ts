import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { AppError, invariant } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { noParams } from './define-query.ts';
import type { Query, Store } from './port.ts';

/** A forward step of the schema. `checksum` is SHA-256 of the file. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

const folder = new URL('./migrations/', import.meta.url);

/** Statements of a file: each ends with a semicolon at the end of a line. */
export function statements(sql: string): string[] {
  return sql
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replaceAll(/--[^\n]*/g, '').trim() !== '');
}

/** The migrations that this version of the code knows, in order: `NNNN_name.sql` without gaps. */
export function readMigrations(from: URL = folder): Migration[] {
  const files = readdirSync(from)
    .filter((file) => /^\d{4}_[\w-]+\.sql$/.test(file))
    .sort();
  return files.map((file, index) => {
    const version = Number(file.slice(0, 4));
    invariant(version === index + 1, `migration ${file} leaves a gap in the numbers`);
    const sql = readFileSync(new URL(file, from), 'utf8');
    return { version, name: file.slice(0, -4), sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

/** What a database says of itself. */
export const appliedMigrations: Query<Record<string, never>, { version: number; name: string; checksum: string }> = {
  name: 'applied-migrations',
  sql: 'SELECT version, name, checksum FROM schema_migrations ORDER BY version',
  params: noParams as never,
  row: z.object({ version: z.number(), name: z.string(), checksum: z.string() }),
};

/**
 * Brings the store to the newest known version and records each step. Returns the steps taken.
 *
 * *Shape* statements of a migration are written so that running them again after a crash changes nothing (`IF NOT EXISTS`): the engine has no transactions over tables.
 * *Errors* `store.newer_version` when the data were written by a newer version, `store.migration_changed` when an applied file differs; neither changes anything.
 */
export async function applyMigrations(
  store: Pick<Store, 'query' | 'execute'>,
  known: readonly Migration[],
  clock: Clock,
): Promise<Migration[]> {
  await store.execute(
    "CREATE TABLE IF NOT EXISTS schema_migrations (version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC')) ENGINE = ReplacingMergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1",
  );
  const applied = await store.query(appliedMigrations, {});
  const newest = known.at(-1)?.version ?? 0;
  for (const row of applied) {
    if (row.version > newest) {
      throw new AppError(
        'store.newer_version',
        `the time-series data are at schema version ${row.version} (${row.name}), this version of Pulse knows ${newest}: start the newer version again; nothing was changed`,
        { context: { stored: row.version, known: newest } },
      );
    }
    const same = known[row.version - 1];
    if (same !== undefined && same.checksum !== row.checksum) {
      throw new AppError(
        'store.migration_changed',
        `migration ${row.name} was changed after it had been applied: restore the file and add a new migration instead`,
        { context: { version: row.version } },
      );
    }
  }
  const done = new Set(applied.map((row) => row.version));
  const missing = known.filter((migration) => !done.has(migration.version));
  for (const migration of missing) {
    for (const statement of statements(migration.sql)) await store.execute(statement);
    await store.execute(
      'INSERT INTO schema_migrations SELECT {version:UInt32}, {name:String}, {checksum:String}, fromUnixTimestamp64Milli({at:Int64})',
      { version: migration.version, name: migration.name, checksum: migration.checksum, at: clock.now() },
    );
  }
  return missing;
}
