import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { noParams } from './define-query.ts';
import { appliedMigrations, applyMigrations, type Migration } from './migrations.ts';
import type { Query, Store } from './port.ts';

const lockTable = 'schema_migration_lock';
/** Longer than any step takes: whoever held the lock is gone. */
const staleSeconds = 600;
const waitMs = 500;
const waitSecondsMost = 900;
/** Codes of the engine: the table is there already; there is no such table. */
const alreadyThere = '57';
const noSuchTable = '60';

const lockAge: Query<Record<string, never>, { age: number }> = {
  name: 'migration-lock-age',
  sql: `SELECT toFloat64(dateDiff('second', metadata_modification_time, now())) AS age FROM system.tables WHERE database = currentDatabase() AND name = '${lockTable}'`,
  params: noParams as never,
  row: z.object({ age: z.number() }),
};

const isCode = (error: unknown, code: string) => error instanceof AppError && error.context['engineCode'] === code;

/**
 * Brings a server's database to the newest version while other processes try the same: one at a time, under a table that only one of them can make.
 *
 * *Shape* nothing is locked when nothing is missing. A lock of ten minutes is taken away from whoever left it behind; the steps are written so that running one twice changes nothing.
 * *Errors* those of {@link applyMigrations}; `store.unavailable` when the lock was not free in 15 minutes.
 */
export async function applyServerMigrations(
  store: Pick<Store, 'query' | 'execute'>,
  known: readonly Migration[],
  clock: Clock,
): Promise<Migration[]> {
  const until = performance.now() + waitSecondsMost * 1000;
  while (performance.now() < until) {
    // The newest is recorded last; older and newer versions, and changed files, are looked at by the steps themselves.
    if (await isCurrent(store, known)) return applyMigrations(store, known, clock);
    if (await takeLock(store)) {
      try {
        return await applyMigrations(store, known, clock);
      } finally {
        await store.execute(`DROP TABLE IF EXISTS ${lockTable} SYNC`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  throw new AppError(
    'store.unavailable',
    `another process holds ${lockTable}: wait for its migrations, or drop the table when there is none`,
    {
      status: 503,
      retryable: true,
    },
  );
}

async function isCurrent(store: Pick<Store, 'query'>, known: readonly Migration[]): Promise<boolean> {
  try {
    const applied = new Set((await store.query(appliedMigrations, {})).map(({ version }) => version));
    return known.every(({ version }) => applied.has(version));
  } catch (error) {
    if (isCode(error, noSuchTable)) return false;
    throw error;
  }
}

async function takeLock(store: Pick<Store, 'query' | 'execute'>): Promise<boolean> {
  try {
    await store.execute(`CREATE TABLE ${lockTable} (holder String DEFAULT '${randomUUID()}') ENGINE = Log`);
    return true;
  } catch (error) {
    if (!isCode(error, alreadyThere)) throw error;
  }
  const [lock] = await store.query(lockAge, {});
  if ((lock?.age ?? 0) > staleSeconds) await store.execute(`DROP TABLE IF EXISTS ${lockTable} SYNC`);
  return false;
}
