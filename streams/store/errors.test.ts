import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('./', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8');
const codes = (text: string, pattern: RegExp) => new Set([...text.matchAll(pattern)].map((match) => match[1]));

test('the README lists exactly the codes that the code throws', () => {
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.includes('.test.'));
  const thrown = codes(sources.map(read).join('\n'), /'(store\.[a-z_]+)'/g);
  expect(codes(read('README.md'), /^\| `(store\.[a-z_]+)`/gm)).toEqual(thrown);
});
