import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checks } from './checks.ts';
import { partBegins } from './short-forms.ts';

test('every check has its own number', () => {
  expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
});

test('every check falls into a part, and every part has its file', () => {
  for (const { id } of checks) expect(id >= partBegins[0] && id < 'C99').toBe(true);
  expect(partBegins.toSorted()).toEqual(partBegins);
  const files = readdirSync(import.meta.dirname).filter((file) => /^checks-\w+\.engine\.test\.ts$/.test(file));
  expect(files).toHaveLength(partBegins.length);
});
