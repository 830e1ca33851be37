import { expect, test } from 'vitest';
import { gaps, hoursOf, parseToken } from './lost-ranges.ts';

test('a token gives back its range, and other rows of the ledger are none', () => {
  expect(parseToken('00ff-telemetry-1-20-35')).toMatchObject({ epoch: '00ff', partition: 1, first: 20, last: 35 });
  expect(parseToken('00ff-recovered-1-20-35')).toBeNull();
});

test('gaps are what no batch covers, cut to the length of a batch', () => {
  const range = (first: number, last: number) => ({ partition: 0, first, last });
  expect(gaps([range(10, 19), range(0, 3)], 0, 20, 100)).toEqual([[4, 9]]);
  expect(gaps([range(0, 3)], 2, 9, 2)).toEqual([
    [4, 5],
    [6, 7],
    [8, 8],
  ]);
  expect(gaps([range(0, 30)], 5, 20, 100)).toEqual([]);
  expect(gaps([range(40, 50)], 5, 8, 100)).toEqual([[5, 7]]);
});

test('a partition spans its day, its month, or everything', () => {
  const span = (partition: string) => {
    const { fromHour, toHour } = hoursOf(partition);
    return [new Date(fromHour * 1000).toISOString(), (toHour - fromHour) / 86_400];
  };
  expect(span('20261121')).toEqual(['2026-11-21T00:00:00.000Z', 1]);
  expect(span('202612')).toEqual(['2026-12-01T00:00:00.000Z', 31]);
  expect(hoursOf('all').fromHour).toBe(0);
});
