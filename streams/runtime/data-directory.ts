import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../contract/index.ts';

/** Version of the data directory's layout as a whole; engines keep their own below it. */
const layoutVersion = 1;
/** SQLITE_BUSY. Source: sqlite.org/rescode.html */
const sqliteBusy = 5;

/**
 * Takes the data directory for this process alone and checks that this version can read it.
 * The lock is an exclusive SQLite transaction: the operating system frees it when the process dies, also by SIGKILL.
 *
 * *Errors* `data.in_use`, `data.newer_version`, `data.unusable` – none of them touches what is stored.
 */
export function openDataDirectory(dir: string): { release(): void } {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new AppError('data.unusable', `the data directory ${dir} cannot be made: ${String(cause)}`, { cause });
  }
  const lock = takeLock(dir);
  try {
    checkVersion(dir);
  } catch (error) {
    lock.close();
    throw error;
  }
  return { release: () => lock.close() };
}

function takeLock(dir: string): DatabaseSync {
  const file = join(dir, 'pulse.lock');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec('pragma locking_mode = exclusive; pragma journal_mode = memory; begin exclusive');
    return database;
  } catch (cause) {
    database?.close();
    if ((cause as { errcode?: number }).errcode === sqliteBusy) {
      throw new AppError(
        'data.in_use',
        `the data directory ${dir} is in use by another Pulse process: stop it, or set PULSE_DATA_DIR`,
        {
          cause,
        },
      );
    }
    throw new AppError('data.unusable', `the data directory ${dir} cannot be locked: ${String(cause)}`, { cause });
  }
}

function checkVersion(dir: string): void {
  const file = join(dir, 'VERSION');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    writeFileSync(file, `${layoutVersion}\n`, { mode: 0o600 });
    return;
  }
  const found = Number(text.trim());
  if (!Number.isInteger(found) || found < 1) {
    throw new AppError(
      'data.unusable',
      `${file} holds "${text.trim()}" instead of a version number: nothing was changed`,
    );
  }
  if (found > layoutVersion) {
    throw new AppError(
      'data.newer_version',
      `the data directory ${dir} was written by a newer version of Pulse (layout ${found}, this one reads up to ${layoutVersion}): nothing was changed`,
    );
  }
}
