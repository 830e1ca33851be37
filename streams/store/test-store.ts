import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '../runtime/clock.ts';
import { copyCachedFolder } from '../runtime/test-folder-cache.ts';
import { createChdbStore } from './chdb-store.ts';

const migrations = join(import.meta.dirname, 'migrations');

/** Changes with everything that has a part in how empty tables look on disk. */
function storeKey(): string {
  const hash = createHash('sha256').update(process.arch);
  hash.update(readFileSync(createRequire(import.meta.url).resolve('chdb/package.json')));
  for (const file of ['chdb-engine.ts', 'migrations.ts']) hash.update(readFileSync(join(import.meta.dirname, file)));
  for (const file of readdirSync(migrations).sort()) hash.update(readFileSync(join(migrations, file)));
  return hash.digest('hex').slice(0, 16);
}

async function makeStore(dir: string): Promise<void> {
  const store = createChdbStore({ dir, logger: pino({ level: 'silent' }), clock: systemClock });
  await store.start();
  await store.stop();
}

/**
 * Puts empty tables, as all migrations leave them, into `dir`, for tests that are not about migrations: those take more than a second, copying a twentieth of one.
 *
 * *Shape* made anew whenever a migration or the engine has changed.
 */
export async function copyEmptyStore(dir: string): Promise<void> {
  await copyCachedFolder({ name: 'pulse-test-store', key: storeKey(), make: makeStore }, dir);
}
