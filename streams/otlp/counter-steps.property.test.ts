import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CounterPoint, counterSteps } from './counter-steps.ts';

const begin = 1_000_000_000;
const minute = 60_000;

/** What of the points is counted, in whole numbers. */
function counted(points: readonly CounterPoint[], sinceMs = 0): bigint {
  return counterSteps(points, sinceMs).reduce(
    (sum, { base }, index) => (base === null ? sum : sum + BigInt(points[index]?.value ?? 0) - BigInt(base)),
    0n,
  );
}
const kinds = (points: readonly CounterPoint[], sinceMs = 0) => counterSteps(points, sinceMs).map(({ kind }) => kind);
const at = (...values: readonly (readonly [minute: number, value: number, start?: number])[]) =>
  values.map(
    ([m, value, start]): CounterPoint => ({
      timeMs: begin + m * minute,
      value,
      startMs: start === undefined ? 0 : begin + start * minute,
    }),
  );
const merge = (...writers: readonly (readonly CounterPoint[])[]) =>
  writers.flat().toSorted((a, b) => a.timeMs - b.timeMs);
const grown = (points: readonly CounterPoint[]) => BigInt((points.at(-1)?.value ?? 0) - (points[0]?.value ?? 0));

describe('cases worked by hand', () => {
  const cases: readonly (readonly [string, CounterPoint[], string[], bigint])[] = [
    [
      'a fall counts what is left',
      at([0, 10], [1, 20], [2, 5], [3, 8]),
      ['unknown_start', 'step', 'reset', 'step'],
      18n,
    ],
    [
      'a reset that soon passes the old level',
      at([0, 0], [1, 20], [2, 5], [3, 15], [4, 25]),
      ['unknown_start', 'step', 'reset', 'step', 'step'],
      45n,
    ],
    ['a known start counts from zero', at([1, 7, 0], [2, 9, 0]), ['started', 'step'], 9n],
    ['a new start is a reset although the value grew', at([1, 7, 0], [3, 9, 2]), ['started', 'reset'], 16n],
    ['a start at the time of the point is unknown', at([1, 7, 1], [2, 9, 1]), ['unknown_start', 'step'], 2n],
    [
      'an unknown start after a known one counts nothing before itself',
      at([1, 7, 0], [2, 9, 2], [3, 10, 2]),
      ['started', 'unknown_start', 'step'],
      8n,
    ],
    ['a gap changes nothing under one start', at([1, 7, 0], [300, 70, 0]), ['started', 'step'], 70n],
    [
      'two writers without start are counted once',
      at([0, 100], [1, 5], [2, 101], [3, 6], [4, 102]),
      ['unknown_start', 'overlap', 'step', 'overlap', 'step'],
      2n,
    ],
    [
      'the lower one comes first',
      at([0, 5], [1, 100], [2, 6], [3, 101], [4, 7]),
      ['unknown_start', 'overlap', 'overlap', 'step', 'step'],
      2n,
    ],
    [
      'the lower one goes on alone',
      at([0, 100], [1, 5], [2, 101], [3, 6], [12, 9]),
      ['unknown_start', 'overlap', 'step', 'step', 'step'],
      5n,
    ],
    [
      'a second start takes over',
      at([1, 50, 0], [2, 60, 0], [3, 4, 1.5], [4, 61, 0], [5, 6, 1.5]),
      ['started', 'step', 'overlap', 'overlap', 'step'],
      62n,
    ],
    ['starts that tremble are one', at([1, 50, 0], [2, 60, 0.01], [3, 70, 0.005]), ['started', 'step', 'step'], 70n],
    ['a start after its point is none', at([1, 50, 9], [2, 60, 9]), ['unknown_start', 'step'], 10n],
  ];
  for (const [name, points, expected, sum] of cases) {
    test(name, () => {
      expect(kinds(points)).toEqual(expected);
      expect(counted(points)).toBe(sum);
    });
  }
  test('a known start before the window counts nothing before the first point', () => {
    expect(kinds(at([60, 7, 0], [61, 9, 0]), begin + minute)).toEqual(['unknown_start', 'step']);
  });
});

const growth = fc.array(fc.oneof(fc.nat(5), fc.nat(2 ** 40)), { minLength: 2, maxLength: 40 });
const lives = (known: boolean) =>
  fc.array(fc.record({ growth, down: fc.integer({ min: 1, max: 500 }) }), { minLength: 1, maxLength: 5 }).map((all) => {
    let timeMs = begin;
    let sum = 0n;
    const points = all.flatMap(({ growth, down }, life) => {
      timeMs += down * 1000;
      const startMs = timeMs;
      let value = 0;
      return growth.map((step, index) => {
        timeMs += 10_000;
        value += step;
        if (known || life > 0 || index > 0) sum += BigInt(step);
        return { timeMs, startMs: known ? startMs : 0, value };
      });
    });
    return { points, sum };
  });

describe('whatever the counter does', () => {
  test('lives of one writer that names its starts are counted exactly', () => {
    fc.assert(
      fc.property(lives(true), ({ points, sum }) => {
        expect(counted(points)).toBe(sum);
      }),
    );
  });

  test('lives of one writer without starts are never counted above what it counted', () => {
    fc.assert(
      fc.property(lives(false), ({ points, sum }) => {
        expect(counted(points) <= sum).toBe(true);
      }),
    );
  });

  test('writers that name their starts are never counted above what they counted together', () => {
    const writer = fc.record({ offset: fc.nat(9), begins: fc.nat(300), growth });
    fc.assert(
      fc.property(fc.array(writer, { minLength: 2, maxLength: 4 }), (all) => {
        let sum = 0n;
        const writers = all.map(({ offset, begins, growth }, index) => {
          const startMs = begin + begins * 10_000 + index * 2000;
          let value = 0;
          return growth.map((step, nth) => {
            value += step;
            sum += BigInt(step);
            return { timeMs: startMs + 1 + offset * 1000 + (nth + 1) * 10_000, startMs, value };
          });
        });
        const points = merge(...writers).filter((point, index, list) => point.timeMs !== list[index - 1]?.timeMs);
        expect(counted(points) <= sum).toBe(true);
      }),
    );
  });

  test('two writers without starts, their levels apart, are never counted above what they counted together', () => {
    const writer = fc.record({
      period: fc.integer({ min: 1, max: 10 }),
      steps: fc.array(fc.nat(200), { minLength: 41, maxLength: 41 }),
    });
    fc.assert(
      fc.property(writer, writer, fc.nat(1000), (low, high, level) => {
        const points = ({ period, steps }: typeof low, first: number, offset: number) => {
          let value = first;
          return steps.slice(0, Math.floor(40 / period) + 1).map((step, nth) => {
            value += nth === 0 ? 0 : step;
            return { timeMs: begin + offset + nth * period * 10_000, startMs: 0, value };
          });
        };
        const [a, b] = [points(low, level, 0), points(high, 10_000 + level, 1003)];
        expect(counted(merge(a, b)) <= grown(a) + grown(b)).toBe(true);
      }),
    );
  });

  test('points are counted the same in pieces: a later point never changes a step older than five minutes', () => {
    const point = fc.record({
      seconds: fc.integer({ min: 1, max: 200 }),
      value: fc.nat(50),
      start: fc.constantFrom(0, 0, 1, 2),
    });
    fc.assert(
      fc.property(fc.array(point, { minLength: 2, maxLength: 30 }), fc.nat(30), (list, cut) => {
        let timeMs = begin;
        const points = list.map(({ seconds, value, start }): CounterPoint => {
          timeMs += seconds * 1000;
          return { timeMs, value, startMs: start === 0 ? 0 : begin + start };
        });
        const part = points.slice(0, cut);
        const settled = (part.at(-1)?.timeMs ?? 0) - 900_000;
        const whole = counterSteps(points, 0);
        counterSteps(part, 0).forEach((step, index) => {
          if ((part[index]?.timeMs ?? 0) < settled) expect(step).toEqual(whole[index]);
        });
      }),
    );
  });
});
