import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sourceFiles } from './source-files.ts';

const root = join(import.meta.dirname, '../..');

/** Columns of type DateTime64: a DateTime bound prunes their last sub-second values away (streams/store/README.md). */
const secondBound = /\b(?:[a-z]\.)?(?:time|Timestamp)\s*(?:<|>|<=|>=)\s*toDateTime\(/;

const sqlFiles = sourceFiles(root).filter((file) => file.endsWith('.sql'));

test('no query compares a DateTime64 column with a DateTime bound', () => {
  const lines = sqlFiles.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .filter((line) => secondBound.test(line.replaceAll(/toStartOfHour\([^)]*\)/g, '')))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(lines).toEqual([]);
  expect(sqlFiles.length).toBeGreaterThan(40);
});

test('the rule sees such a comparison', () => {
  expect(secondBound.test("AND e.time < toDateTime({end:UInt32}, 'UTC')")).toBe(true);
  expect(secondBound.test("AND e.time < toDateTime64({end:UInt32}, 3, 'UTC')")).toBe(false);
});
