import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Folders without sources; `data` belongs to a server that may be running, and its files come and go. */
const skipped = new Set(['node_modules', 'dist', 'data', 'fixtures', '.git', '.cache']);

/** Paths of all files below `root` that are the project's own, relative to it with forward slashes. */
export function sourceFiles(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : sourceFiles(root, path);
    return entry.isFile() ? [path] : [];
  });
}
