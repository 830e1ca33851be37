import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const folder = import.meta.dirname;
const read = (pattern: string) =>
  globSync(pattern, { cwd: folder, exclude: ['**/node_modules/**', '**/dist/**'] }).map(
    (file) => [file, readFileSync(join(folder, file), 'utf8')] as const,
  );
const codesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '');

it('every error code thrown is in a README, and every code of a README is thrown', () => {
  const thrown = new Set(
    read('**/*.ts')
      .filter(([file]) => !file.endsWith('.test.ts'))
      .flatMap(([, text]) => codesIn(text, /'((?:agent|demo|fleet|sdk)\.(?!json)[a-z_]+)'/g)),
  );
  const documented = new Set(
    read('**/README.md').flatMap(([, text]) => codesIn(text, /^\| `([a-z]+\.[a-z_]+)` +\|/gm)),
  );
  expect(thrown.size).toBeGreaterThan(8);
  expect([...documented].sort()).toEqual([...thrown].sort());
});
