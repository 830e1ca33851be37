import { expect, test } from 'vitest';
import { rowWindow } from '../pages/fleet/windowed-rows.ts';
import { recompute } from '../pages/tenant/evidence-check.ts';
import { alignSeries, type ChartSeries, measuredSpan, topSeries } from './series.ts';

test('a missing bucket becomes a null, so that the line breaks', () => {
  const { times, columns } = alignSeries(
    [
      [
        [0, 1],
        [60_000, 2],
        [240_000, 3],
      ],
    ],
    60_000,
  );
  expect(times).toEqual([0, 60, 120, 240]);
  expect(columns).toEqual([[1, 2, null, 3]]);
});

test('a limit stays a straight line between the times of the other series', () => {
  const { columns } = alignSeries(
    [
      [
        [0, 5],
        [60_000, 6],
        [120_000, 7],
      ],
      [
        [0, 10],
        [120_000, 12],
      ],
    ],
    60_000,
    [false, true],
  );
  expect(columns[1]).toEqual([10, 11, 12]);
});

test('more than eight series become seven and the sum of the others', () => {
  const series = Array.from({ length: 10 }, (_, index) => ({ label: `s${index}`, points: [[0, index] as const] }));
  const top = topSeries(series);
  expect(top.map(({ label }) => label)).toEqual(['s9', 's8', 's7', 's6', 's5', 's4', 's3', '3 others, summed']);
  expect(top.at(-1)?.points).toEqual([[0, 3]]);
});

test('simple aggregates are recomputed exactly, others are left to the server', () => {
  const rows = [
    { value: '0.1', n: 2 },
    { value: '0.2', n: 9007199254740991 },
  ];
  expect(recompute('sum(value)', rows)).toBe('0.3');
  expect(recompute('sum(n)', rows)).toBe('9007199254740993');
  expect(recompute('count()', rows)).toBe('2');
  expect(recompute('max(value)', rows)).toBe('0.2');
  expect(recompute('sum(value)', [{ value: 0.1 }])).toBeNull();
  expect(recompute('time-weighted average, rounded up', rows)).toBeNull();
  const held = [
    { value: '900000', seconds: '900' },
    { value: '900001', seconds: '900' },
  ];
  const average = 'sum(value) / sum(seconds), rounded up to a whole unit; value = unit-seconds';
  expect(recompute(average, held)).toBe('1001');
  expect(recompute(average, [])).toBe('0');
  expect(recompute('sum(value) / 1000 / 3600, to 4 digits half-even; value = byte-seconds', held)).toBe('0.5000');
  expect(recompute('sum(value) / 2 / 1, to 0 digits half-even', [{ value: '5' }])).toBe('2');
  expect(recompute('sum(value) / 2 / 1, to 0 digits half-even', [{ value: '7' }])).toBe('4');
});

test('the drawn part of a long list moves with the scrolling and keeps its height', () => {
  expect(rowWindow(100, 36, 0, 900)).toEqual({ first: 0, last: 100, before: 0, after: 0 });
  const view = rowWindow(1000, 36, 18_000, 900);
  expect(view.first).toBe(488);
  expect(view.before + (view.last - view.first) * 36 + view.after).toBe(36_000);
});

test('what is listed ends where the measurement ends, however far a limit reaches', () => {
  const lines: ChartSeries[] = [
    {
      label: 'cpu',
      colour: 'series-1',
      points: [
        [1000, 1],
        [2000, 2],
      ],
    },
    {
      label: 'limit',
      colour: 'critical',
      continuous: true,
      points: [
        [0, 4],
        [9000, 4],
      ],
    },
  ];
  const data = alignSeries(
    lines.map((line) => line.points),
    1000,
    [false, true],
  );
  expect(data.times).toEqual([0, 1, 2, 9]);
  expect(measuredSpan(data, lines)).toEqual([1, 3]);
});
