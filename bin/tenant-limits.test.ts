import { LimitsChange } from 'streams/contract';
import { expect, test } from 'vitest';
import { parseChanges } from './tenant-limits.ts';

test('changes are read by name, one level deep, and default takes an own limit away', () => {
  const change = parseChanges([
    'pointsPerSecond=500',
    'retentionDays.logs=7',
    'retentionDays.traces=default',
    'activeSeries=default',
  ]);
  expect(change).toEqual({ pointsPerSecond: 500, retentionDays: { logs: 7, traces: null }, activeSeries: null });
  expect(LimitsChange.parse(change)).toEqual(change);
});

for (const wrong of [
  'pointsPerSecond',
  'pointsPerSecond=',
  'pointsPerSecond=-1',
  'pointsPerSecond=1.5',
  '=3',
  'a.b.c=1',
]) {
  test(`${wrong} is refused`, () => {
    expect(() => parseChanges([wrong])).toThrow(expect.objectContaining({ code: 'cli.change_invalid' }));
  });
}
