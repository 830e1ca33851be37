import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const codecs = join(import.meta.dirname, '../../streams/otlp/remote-write');

function sourcesOf(folder: string): string {
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}
const catalogued = (folder: string, pattern: RegExp) =>
  [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(pattern)].flatMap((match) => match[1] ?? []);
const thrown = (...folders: string[]) => [
  ...new Set(
    [
      ...folders
        .map(sourcesOf)
        .join('\n')
        .matchAll(/AppError\(\s*'([a-z_]+\.[a-z_]+)'/g),
    ].flatMap((match) => match[1] ?? []),
  ),
];

test('the codes that the door of remote-write answers and its README agree in both directions', () => {
  const rows = catalogued(import.meta.dirname, /^\| `([a-z_]+\.[a-z_]+)` *\|/gm);
  expect(rows.toSorted()).toEqual(thrown(import.meta.dirname, codecs).toSorted());
});

test('the reasons of single elements and their README agree in both directions', () => {
  const source = readFileSync(join(codecs, 'port.ts'), 'utf8');
  const union = /export type RemoteWriteReason =([^;]+);/.exec(source)?.[1] ?? '';
  const reasons = [...union.matchAll(/'([a-z_]+)'/g)].flatMap((match) => match[1] ?? []);
  const table = readFileSync(join(codecs, 'README.md'), 'utf8').split('## Reasons')[1]?.split('##')[0] ?? '';
  const rows = table
    .split('\n')
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([a-z_]+)`/g)].flatMap((match) => match[1] ?? []));
  expect(rows.toSorted()).toEqual(reasons.toSorted());
});
