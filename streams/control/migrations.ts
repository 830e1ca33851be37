import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { ClientBase } from 'pg';
import { AppError } from '../contract/index.ts';

/** One forward step of the schema. `checksum` is the SHA-256 of the file's bytes. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

const ownMigrations = new URL('./migrations/', import.meta.url);

/** Reads the `NNNN_name.sql` files of a directory, in order of their numbers. */
export async function readMigrations(directory: URL = ownMigrations): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, directory), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Decides what is still to run, given what the database has recorded.
 *
 * *Errors* `control.newer_version` when the database knows a step that this program does not; `control.migration_changed` when a step that ran has another text now.
 */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly { readonly name: string; readonly checksum: string }[],
): Migration[] {
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  for (const { name, checksum } of applied) {
    const migration = byName.get(name);
    if (migration === undefined) {
      throw new AppError('control.newer_version', `the control plane's data was written by a newer version (${name})`, {
        context: { migration: name },
      });
    }
    if (migration.checksum !== checksum) {
      throw new AppError('control.migration_changed', `migration ${name} has changed since it was applied`, {
        context: { migration: name, applied: checksum, found: migration.checksum },
      });
    }
  }
  const done = new Set(applied.map(({ name }) => name));
  return known.filter(({ name }) => !done.has(name));
}

/** Any constant of our own: keeps two processes from migrating one server at a time. */
const migrationLock = '7245183095';

/** Brings the schema up to date in one transaction and returns the names of the steps it ran. *Errors* as {@link pendingMigrations}; nothing is changed then. */
export async function migrate(client: ClientBase, migrations: readonly Migration[]): Promise<string[]> {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${migrationLock})`);
    await client.query(
      'CREATE TABLE IF NOT EXISTS pulse_migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const applied = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM pulse_migrations',
    );
    const pending = pendingMigrations(migrations, applied.rows);
    for (const { name, sql, checksum } of pending) {
      await client.query(sql);
      await client.query('INSERT INTO pulse_migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
    }
    await client.query('COMMIT');
    return pending.map(({ name }) => name);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
