import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('the README lists exactly the error codes that the code can throw', () => {
  const sources = readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith('.ts') && !/(test|conformance|test-disk)\.ts$/.test(name),
  );
  const thrown = sources.flatMap((name) =>
    [...readFileSync(`${import.meta.dirname}/${name}`, 'utf8').matchAll(/new AppError\(\s*'(log\.[a-z_]+)'/g)].map(
      (match) => match[1],
    ),
  );
  const readme = readFileSync(`${import.meta.dirname}/README.md`, 'utf8');
  const listed = [...readme.matchAll(/^\| `(log\.[a-z_]+)`/gm)].map((match) => match[1]);
  expect([...new Set(thrown)].sort()).toEqual(listed.sort());
});
