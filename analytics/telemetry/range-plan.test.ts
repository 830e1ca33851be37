import { expect, test } from 'vitest';
import { mergeBuckets, quantileOfBuckets } from './buckets.ts';
import {
  assertSteps,
  chooseSources,
  defaultStepMs,
  mayUseRollUps,
  parseInstants,
  parseStep,
  quantileLevel,
} from './range-plan.ts';

const hour = 3_600_000;
const t = 1_793_491_200_000;

test('roll-ups are read only on their own edges and before the first hour that is not rolled up', () => {
  const range = { start: t, end: t + 10 * hour };
  expect(chooseSources(range, hour, null)).toEqual({ hourEnd: t + 10 * hour, minuteEnd: t + 10 * hour });
  expect(chooseSources(range, hour, t + 3 * hour)).toEqual({ hourEnd: t + 3 * hour, minuteEnd: t + 3 * hour });
  expect(chooseSources(range, 60_000, t + 3 * hour)).toEqual({ hourEnd: t, minuteEnd: t + 3 * hour });
  const odd = { ...range, start: t + 30_000 };
  expect(chooseSources(odd, 60_000, null)).toEqual({ hourEnd: odd.start, minuteEnd: odd.start });
  expect(chooseSources(range, hour, t - 5 * hour)).toEqual({ hourEnd: t, minuteEnd: t });
  expect(chooseSources({ ...range, end: t + 2 * hour + 61_001 }, hour, null)).toEqual({
    hourEnd: t + 2 * hour,
    minuteEnd: t + 2 * hour + 60_000,
  });
  expect(mayUseRollUps(range, 60_000)).toBe(true);
  expect(mayUseRollUps(range, 30_000)).toBe(false);
  expect(mayUseRollUps({ start: t, end: t + hour }, 60_000)).toBe(false);
});

test('a range ends now and begins an hour before its end unless it says otherwise', () => {
  expect(parseInstants({}, t)).toEqual({ start: t - hour, end: t });
  expect(parseInstants({ end: '2026-11-02T00:00:00+01:00' }, t).end).toBe(Date.UTC(2026, 10, 1, 23));
  expect(() => parseInstants({ start: '2026-11-02T00:00:00Z' }, Date.UTC(2026, 10, 2))).toThrow(/before end/);
  expect(defaultStepMs({ start: 0, end: 12 * hour })).toBe(60_000);
  expect(defaultStepMs({ start: 0, end: 13 * hour })).toBe(300_000);
  expect(defaultStepMs({ start: 0, end: 90 * 24 * hour })).toBe(3 * hour);
});

test('a range with too many points is refused with the step that fits', () => {
  expect(() => assertSteps({ start: 0, end: 11_001_000 }, 1000)).toThrow(/step of at least 2s/);
  expect(() => assertSteps({ start: 0, end: 11_000_000 }, 1000)).not.toThrow();
  expect(() => parseInstants({ start: '2026-11-02T00:00:00Z', end: '2026-11-02T00:00:00Z' }, t)).toThrow(/before end/);
  expect(parseStep('5m')).toBe(300_000);
  expect([quantileLevel('p99.9'), quantileLevel('p5'), quantileLevel('avg')]).toEqual([0.999, 0.05, null]);
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
