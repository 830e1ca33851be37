import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineQuery, placeholders } from './define-query.ts';

const dir = mkdtempSync(join(tmpdir(), 'pulse-query-'));
const file = (sql: string) => {
  const path = join(dir, 'some-rows.sql');
  writeFileSync(path, sql);
  return pathToFileURL(path);
};

test('placeholders are found once, in order, and not in comments or texts', () => {
  const sql =
    "-- {no:String}\nSELECT '{none:Int8}', {b:Array(Tuple(UInt32, String))}, {a:DateTime64(3, 'UTC')}, {b:UInt8}";
  expect(placeholders(sql)).toEqual(['b', 'a']);
});

test('a parameter without placeholder and a placeholder without parameter are refused', () => {
  const row = z.object({ n: z.number() });
  const params = z.object({ tenant: z.number() });
  expect(() => defineQuery({ file: file('SELECT 1 AS n'), params, row })).toThrow(/parameters are \[tenant\]/);
  expect(() => defineQuery({ file: file('SELECT {a:UInt8} + {tenant:UInt8}'), params, row })).toThrow(/\[a, tenant\]/);
  const query = defineQuery({ file: file('SELECT {tenant:UInt8} AS n'), params, row });
  expect(query).toMatchObject({ name: 'some-rows', sql: 'SELECT {tenant:UInt8} AS n' });
});
