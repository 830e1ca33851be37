import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { createControl } from './kysely-control.ts';

const folder = import.meta.dirname;
const cache = join(folder, '../../node_modules/.cache/pulse-test-cluster');

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

/** Made by the program's own first start, beside its place and renamed: of two processes that make it at once one wins. */
async function makeCluster(place: string): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const unfinished = mkdtempSync(join(cache, 'unfinished-'));
  const control = createControl({
    connection: { kind: 'pglite', dir: join(unfinished, 'control') },
    logger: pino({ level: 'silent' }),
  });
  await control.start();
  await control.stop();
  try {
    renameSync(join(unfinished, 'control'), place);
  } catch (error) {
    if (!existsSync(place)) throw error;
  }
  rmSync(unfinished, { recursive: true, force: true });
}

/**
 * Puts an empty control plane, as a first start leaves it, into `dir`, for tests that are not about the first start: making one takes five seconds of a core, copying it a tenth of one.
 *
 * *Shape* kept below `node_modules/.cache` and made anew whenever a source, a migration or PGlite has changed.
 */
export async function copyEmptyControl(dir: string): Promise<void> {
  const cluster = join(cache, clusterKey());
  if (!existsSync(cluster)) await makeCluster(cluster);
  cpSync(cluster, dir, { recursive: true });
}
