import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { copyCachedFolder } from '../runtime/test-folder-cache.ts';
import { createControl } from './kysely-control.ts';

const folder = import.meta.dirname;

/** Changes with everything that has a part in how an empty control plane looks on disk. */
function clusterKey(): string {
  const hash = createHash('sha256').update(process.version).update(process.arch);
  const pglite = dirname(createRequire(import.meta.url).resolve('@electric-sql/pglite'));
  hash.update(readFileSync(join(pglite, '../package.json')));
  for (const part of [folder, join(folder, 'migrations')]) {
    for (const file of readdirSync(part).sort()) {
      if (/\.(?:ts|sql)$/.test(file) && !file.includes('test')) hash.update(readFileSync(join(part, file)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function makeCluster(dir: string): Promise<void> {
  const control = createControl({ connection: { kind: 'pglite', dir }, logger: pino({ level: 'silent' }) });
  await control.start();
  await control.stop();
}

/**
 * Puts an empty control plane, as a first start leaves it, into `dir`, for tests that are not about the first start: making one takes five seconds of a core, copying it a tenth of one.
 *
 * *Shape* made anew whenever a source, a migration or PGlite has changed.
 */
export async function copyEmptyControl(dir: string): Promise<void> {
  await copyCachedFolder({ name: 'pulse-test-cluster', key: clusterKey(), make: makeCluster }, dir);
}
