import { expect, test } from 'vitest';
import { bindStatement } from './bound-statement.ts';

test('values stand in the statement as literals of the types that it names', () => {
  const sql = `-- {not:String} it's a comment
SELECT {a:UInt32}, {b: String}, {big:UInt64}, {part:Float64}, '{text:String}' /* {no:String} */ FROM {table:Identifier}
WHERE x IN {ids:Array(UInt64)} AND y IN {names:Array(String)} AND z = {a:UInt32}`;
  const values = { a: 7, b: 'plain', big: '18446744073709551615', part: 0.95, table: 'samples' };
  expect(bindStatement(sql, { ...values, ids: '[1,2]', names: ['x', "it's"] })).toBe(`-- {not:String} it's a comment
SELECT CAST(7, 'UInt32'), 'plain', CAST(18446744073709551615, 'UInt64'), CAST(0.95, 'Float64'), '{text:String}' /* {no:String} */ FROM \`samples\`
WHERE x IN CAST('[1,2]', 'Array(UInt64)') AND y IN CAST(['x','it\\'s'], 'Array(String)') AND z = CAST(7, 'UInt32')`);
});

test.each([
  ['UInt32', '1 OR 1=1'],
  ['UInt32', 1.5],
  ['UInt32', -1],
  ['UInt32', 2 ** 32],
  ['UInt8', 256],
  ['Int64', '9223372036854775808'],
  ['Float64', '1'],
  ['Float64', Number.NaN],
  ['String', 5],
  ['Identifier', 'a`b'],
  ['Array(UInt64)', "[1] OR ''=''"],
  ['Array(String)', ['a', 1]],
  ['DateTime', '2026-01-01'],
  ['UInt32', undefined],
])('a value that is not of type %s is refused: %j', (type, value) => {
  expect(() => bindStatement(`SELECT {v:${type}}`, { v: value })).toThrow(/parameter v/);
  expect(() => bindStatement(`SELECT {w:${type}}`, { v: value })).toThrow(/parameter w has no value/);
});
