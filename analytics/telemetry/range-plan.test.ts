import { expect, test } from 'vitest';
import { mergeBuckets, quantileOfBuckets } from './buckets.ts';
import { assertSteps, chooseSources, parseInstants, parseStep } from './range-plan.ts';

const hour = 3_600_000;
const t = 1_793_491_200_000;

test('roll-ups are read only on their own edges and before the first hour that is not rolled up', () => {
  const range = { start: t, end: t + 10 * hour };
  expect(chooseSources(range, hour, 0)).toEqual({ hourEnd: t + 10 * hour, minuteEnd: t + 10 * hour });
  expect(chooseSources(range, hour, t + 3 * hour)).toEqual({ hourEnd: t + 3 * hour, minuteEnd: t + 3 * hour });
  expect(chooseSources(range, 60_000, t + 3 * hour)).toEqual({ hourEnd: t, minuteEnd: t + 3 * hour });
  expect(chooseSources({ ...range, start: t + 30_000 }, 60_000, 0)).toEqual({
    hourEnd: t + 30_000,
    minuteEnd: t + 30_000,
  });
  expect(chooseSources(range, hour, t - 5 * hour)).toEqual({ hourEnd: t, minuteEnd: t });
  expect(chooseSources({ ...range, end: t + 2 * hour + 1 }, hour, 0)).toEqual({
    hourEnd: t + 2 * hour,
    minuteEnd: t + 2 * hour,
  });
});

test('a range with too many points is refused with the step that fits', () => {
  expect(() => assertSteps({ start: 0, end: 11_001_000 }, 1000)).toThrow(/step of at least 2s/);
  expect(() => assertSteps({ start: 0, end: 11_000_000 }, 1000)).not.toThrow();
  expect(() => parseInstants({ start: '2026-11-02T00:00:00Z', end: '2026-11-02T00:00:00Z' })).toThrow(/before end/);
  expect(parseStep('5m')).toBe(300_000);
});

test('quantiles are linear inside their bucket and stop at the last bound', () => {
  const buckets = { bounds: [1, 2, 4], counts: [10, 10, 0, 0] };
  expect(quantileOfBuckets(0.5, buckets)).toBe(1);
  expect(quantileOfBuckets(0.75, buckets)).toBe(1.5);
  expect(quantileOfBuckets(0.99, { bounds: [1, 2], counts: [0, 0, 5] })).toBe(2);
  expect(quantileOfBuckets(0.5, { bounds: [1], counts: [0, 0] })).toBeNull();
});

test('histograms with other bounds keep every observation when they are added', () => {
  const sum = mergeBuckets([
    { bounds: [1, 2], counts: [4, 4, 2] },
    { bounds: [1.5], counts: [3, 1] },
  ]);
  expect(sum.bounds).toEqual([1, 1.5, 2]);
  expect(sum.counts.reduce((a, b) => a + b, 0)).toBe(14);
  expect(sum.counts[0]).toBeCloseTo(6);
});
