import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../node_modules/.cache');

/**
 * Copies a folder that is dear to make into `to`, for tests that are not about how it is made.
 *
 * *Shape* kept below `node_modules/.cache` under `name` and `key`, which changes with everything that has a part in it; made by `make` beside its place and renamed: of two processes that make it at once one wins.
 */
export async function copyCachedFolder(
  options: { readonly name: string; readonly key: string; make(dir: string): Promise<void> },
  to: string,
): Promise<void> {
  const cache = join(root, options.name);
  const place = join(cache, options.key);
  if (!existsSync(place)) {
    mkdirSync(cache, { recursive: true });
    const unfinished = mkdtempSync(join(cache, 'unfinished-'));
    await options.make(join(unfinished, 'made'));
    try {
      renameSync(join(unfinished, 'made'), place);
    } catch (error) {
      if (!existsSync(place)) throw error;
    }
    rmSync(unfinished, { recursive: true, force: true });
  }
  // Without `verbatimSymlinks`, Node makes relative links of the copy absolute: they would lead back into the original.
  cpSync(place, to, { recursive: true, verbatimSymlinks: true });
}
