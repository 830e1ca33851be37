import { expect, test } from 'vitest';
import { toHistogramPoint } from './native-histogram.ts';
import type { RemoteHistogram } from './port.ts';

const base: RemoteHistogram = {
  timeMs: 1_750_000_000_000,
  startMs: 0,
  count: 0,
  isFloat: false,
  sum: 0,
  isStale: false,
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  negative: { spans: [], deltas: [], counts: [] },
  positive: { spans: [], deltas: [], counts: [] },
  resetHint: 0,
  customValues: [],
  isInexact: false,
};
const side = (spans: number[], deltas: number[] = [], counts: number[] = []) => ({ spans, deltas, counts });

test('spans and deltas are laid out densely, one bucket lower than Prometheus counts them', () => {
  // Buckets 1, 2 and 5: (1,2] 3 times, (2,4] once, (16,32] twice; bucket -1 of the negative side once; zero 4 times.
  const point = toHistogramPoint(
    {
      ...base,
      count: 11,
      sum: 50.5,
      zeroCount: 4,
      zeroThreshold: 0.001,
      positive: side([1, 2, 2, 1], [3, -2, 1]),
      negative: side([-1, 1], [1]),
    },
    0,
  );
  expect(point).toMatchObject({
    kind: 'exponential',
    scale: 0,
    count: 11,
    sum: 50.5,
    zeroCount: 4,
    zeroThreshold: 0.001,
    positive: { offset: 0, counts: [3, 1, 0, 0, 2] },
    negative: { offset: -2, counts: [1] },
  });
});

test('custom buckets become explicit ones, with the buckets in between that were left out', () => {
  const custom = { ...base, schema: -53, customValues: [0.5, 1, 2], count: 5, sum: 9 };
  expect(toHistogramPoint({ ...custom, positive: side([1, 1, 1, 1], [2, 1]) }, 0)).toMatchObject({
    kind: 'explicit',
    bounds: [0.5, 1, 2],
    counts: [0, 2, 0, 3],
    count: 5,
  });
});

test('a float histogram with whole counts is taken, with others refused and never rounded', () => {
  const float = { ...base, isFloat: true, count: 3, positive: side([0, 2], [], [1, 2]) };
  expect(toHistogramPoint(float, 0)).toMatchObject({ positive: { offset: -1, counts: [1, 2] } });
  const half = { ...float, positive: side([0, 2], [], [1, 1.5]) };
  expect(toHistogramPoint(half, 0)).toMatchObject({ reason: 'fractional_count' });
});

test('a reset without a start counts from just before the point; a start that was sent stays', () => {
  expect(toHistogramPoint({ ...base, resetHint: 1 }, 0)).toMatchObject({ startMs: base.timeMs - 1 });
  expect(toHistogramPoint({ ...base, resetHint: 1 }, 77)).toMatchObject({ startMs: 77 });
  expect(toHistogramPoint({ ...base, resetHint: 2 }, 0)).toMatchObject({ startMs: 0 });
});

const refused: readonly (readonly [string, Partial<RemoteHistogram>, string])[] = [
  ['an unknown schema', { schema: 9 }, 'histogram_schema'],
  ['a schema that is no number of ours', { schema: -54 }, 'histogram_schema'],
  ['buckets that do not add up to the count', { count: 2, positive: side([0, 1], [1]) }, 'histogram_invalid'],
  ['more buckets than spans', { count: 2, positive: side([0, 1], [1, 0]) }, 'histogram_invalid'],
  ['spans of four billion buckets', { count: 1, positive: side([0, 4_294_967_295], [1]) }, 'histogram_invalid'],
  ['spans that overlap', { count: 2, positive: side([0, 1, -1, 1], [1, 0]) }, 'histogram_invalid'],
  ['a count below zero', { count: 0, positive: side([0, 2], [1, -2]) }, 'histogram_invalid'],
  ['buckets too far apart', { count: 2, positive: side([0, 1, 2_000_000, 1], [1, 0]) }, 'bucket_range'],
  ['a bucket beyond 32 bits', { count: 1, positive: side([2_147_483_647, 0, 9, 1], [1]) }, 'bucket_range'],
  ['a count beyond 2^53', { isInexact: true }, 'histogram_invalid'],
  ['bounds that fall', { schema: -53, customValues: [2, 1] }, 'histogram_invalid'],
  ['an infinite bound', { schema: -53, customValues: [1, Number.POSITIVE_INFINITY] }, 'histogram_invalid'],
  [
    'a bucket past the last bound',
    { schema: -53, customValues: [1], count: 1, positive: side([2, 1], [1]) },
    'histogram_invalid',
  ],
  [
    'custom buckets with a zero bucket',
    { schema: -53, customValues: [1], count: 1, zeroCount: 1 },
    'histogram_invalid',
  ],
  ['custom bounds without their schema', { customValues: [1] }, 'histogram_invalid'],
];
for (const [name, change, reason] of refused) {
  test(`${name}: ${reason}`, () => {
    expect(toHistogramPoint({ ...base, ...change }, 0)).toMatchObject({ reason, why: expect.any(String) });
  });
}
