import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseExactJson } from './exact-json.ts';

test('every 64-bit integer keeps its digits, quoted in no way', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n }), (integer) => {
      const { a } = parseExactJson(`{"a": ${integer}}`) as { a: number | bigint };
      expect(BigInt(a)).toBe(integer);
    }),
  );
});

test('whatever is no large whole number is what JSON.parse makes of it', () => {
  fc.assert(
    fc.property(fc.json(), fc.double({ noNaN: true, noDefaultInfinity: true }), (json, double) => {
      const parsed = parseExactJson(json);
      // A double of that size is a whole number, and comes as the integer that is written.
      const plain = JSON.stringify(parsed, (_key, value) => (typeof value === 'bigint' ? Number(value) : value));
      expect(JSON.parse(plain)).toEqual(JSON.parse(json));
      expect(Number(parseExactJson(JSON.stringify(double)) as number | bigint)).toBe(
        JSON.parse(JSON.stringify(double)),
      );
    }),
  );
});

test.each([
  ['1e19', 10_000_000_000_000_000_000n],
  ['1.8446744073709551615e19', 18_446_744_073_709_551_615n],
  ['9007199254740993.0', 9_007_199_254_740_993n],
  ['-9223372036854775808', -9_223_372_036_854_775_808n],
  ['900719925474099310e-1', 90_071_992_547_409_931n],
  ['1e400', Number.POSITIVE_INFINITY],
  ['5e-324', 5e-324],
])('%s is read exactly', (literal, value) => {
  expect(parseExactJson(`[${literal}]`)).toEqual([value]);
});
