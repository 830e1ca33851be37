import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quantileOfBuckets } from './buckets.ts';
import {
  addBuckets,
  atScale,
  type ExponentialBuckets,
  quantileOfExponential,
  subtractBuckets,
  toExplicit,
} from './exponential-buckets.ts';

const values = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 });
const scale = fc.integer({ min: -2, max: 6 });

/** The bucket of a value by the definition of the data model: (base^i, base^(i+1)]. */
function observe(observed: readonly number[], at: number): ExponentialBuckets {
  const positive = new Map<number, number>();
  for (const value of observed) {
    const index = Math.ceil(Math.log2(value) * 2 ** at) - 1;
    positive.set(index, (positive.get(index) ?? 0) + 1);
  }
  return { scale: at, zero: 0, zeroThreshold: 0, positive, negative: new Map() };
}

const counts = (buckets: ExponentialBuckets) =>
  [...buckets.positive].filter(([, n]) => n !== 0).sort(([a], [b]) => a - b);

test('a lower scale is what observing at that scale gives', () => {
  fc.assert(
    fc.property(values, scale, fc.integer({ min: 0, max: 4 }), (observed, at, by) => {
      expect(counts(atScale(observe(observed, at), at - by))).toEqual(counts(observe(observed, at - by)));
    }),
  );
});

test('what is added and taken away again was there before, at the lower scale', () => {
  fc.assert(
    fc.property(values, values, scale, scale, (a, b, x, y) => {
      const lower = Math.min(x, y);
      const sum = addBuckets(observe(a, x), observe(b, y));
      expect(counts(sum)).toEqual(counts(observe([...a, ...b], lower)));
      expect(counts(subtractBuckets(sum, observe(b, y)))).toEqual(counts(observe(a, lower)));
    }),
  );
});

test('a quantile lies in the bucket of the value of its rank', () => {
  fc.assert(
    fc.property(values, scale, fc.double({ min: 0.01, max: 1, noNaN: true }), (observed, at, level) => {
      const sorted = [...observed].sort((a, b) => a - b);
      const value = sorted[Math.min(sorted.length - 1, Math.ceil(level * sorted.length - 1e-9) - 1)] ?? Number.NaN;
      const index = Math.ceil(Math.log2(value) * 2 ** at) - 1;
      const found = quantileOfExponential(level, observe(observed, at)) ?? Number.NaN;
      expect(found).toBeGreaterThanOrEqual(2 ** (index * 2 ** -at) * (1 - 1e-9));
      expect(found).toBeLessThanOrEqual(2 ** ((index + 1) * 2 ** -at) * (1 + 1e-9));
    }),
  );
});

test('explicit bounds hold the same observations, negative and zero ones in their order', () => {
  const buckets: ExponentialBuckets = {
    scale: 0,
    zero: 2,
    zeroThreshold: 0.5,
    positive: new Map([[0, 4]]),
    negative: new Map([
      [0, 3],
      [2, 1],
    ]),
  };
  expect(toExplicit(buckets)).toEqual({ bounds: [-8, -4, -2, -1, 0.5, 1, 2], counts: [0, 1, 0, 3, 2, 0, 4, 0] });
  expect(quantileOfExponential(0.1, buckets)).toBeCloseTo(-4, 9);
  expect(quantileOfExponential(0.5, buckets)).toBeCloseTo(0, 9);
  expect(quantileOfExponential(1, buckets)).toBe(2);
  expect(quantileOfBuckets(1, toExplicit(buckets))).toBe(2);
  expect(quantileOfExponential(0.5, { ...buckets, zero: 0, positive: new Map(), negative: new Map() })).toBeNull();
});
