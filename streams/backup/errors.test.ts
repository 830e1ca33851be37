import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test.each(['backup', 'replay'])('the README of %s lists exactly the error codes that its code can throw', (folder) => {
  const directory = join(import.meta.dirname, '..', folder);
  const sources = readdirSync(directory).filter((name) => name.endsWith('.ts') && !/test(ing)?\.ts$/.test(name));
  const own = new RegExp(`'(${folder}\\.[a-z_]+)'`, 'g');
  const codes = sources.flatMap((name) => {
    const text = readFileSync(join(directory, name), 'utf8');
    return [...text.matchAll(own)].map((match) => match[1]);
  });
  // Domain events and audit actions have names of the same form; an interrupted run is a state, not an error.
  const others = new Set([`${folder}.verified`, `${folder}.failed`, `${folder}.interrupted`]);
  const thrown = new Set(codes.filter((code) => code !== undefined && !others.has(code)));
  const readme = readFileSync(join(directory, 'README.md'), 'utf8');
  const listed = [...readme.matchAll(/^\| `([a-z_]+\.[a-z_]+)`/gm)]
    .map((match) => match[1])
    .filter((code) => code?.startsWith(`${folder}.`));
  expect([...thrown].toSorted()).toEqual(listed.toSorted());
});
