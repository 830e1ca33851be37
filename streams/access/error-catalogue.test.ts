import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folders = { access: ['access'], control: ['control', 'lease'], events: ['events'], forwarding: ['forwarding'] };

test.each(Object.entries(folders))(
  'the error codes of %s and its README agree in both directions',
  (folder, prefixes) => {
    const dir = join(import.meta.dirname, '..', folder);
    const sources = readdirSync(dir).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    const thrown = new Set<string>();
    for (const name of sources) {
      const text = readFileSync(join(dir, name), 'utf8');
      // A code stands as the first argument of an AppError; other dotted strings (audit actions) do not.
      for (const match of text.matchAll(/new AppError\(\s*'([a-z_]+\.[a-z_]+)'/g)) {
        const code = match[1] ?? '';
        if (prefixes.some((prefix) => code.startsWith(`${prefix}.`))) thrown.add(code);
      }
    }
    const readme = readFileSync(join(dir, 'README.md'), 'utf8');
    const catalogued = [...readme.matchAll(/^\| `([a-z_]+\.[a-z_]+)` *\|/gm)].map((match) => match[1]);
    expect(catalogued.toSorted()).toEqual([...thrown].toSorted());
  },
);
