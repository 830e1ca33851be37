import { expect, test } from 'vitest';
import { chunksOf, withNextHours } from './metering-job.ts';
import type { DueHour } from './ports.ts';

const due = (tenant: number, hours: number, version: number): DueHour => ({
  signal: 'metrics',
  tenant,
  hour: hours * 3600,
  version,
  partition: 0,
});

test('chunks hold every hour once, are bounded, and do not span a wide gap', () => {
  const hours = [due(1, 0, 1), due(2, 0, 1), due(1, 1, 1), due(1, 30, 1), due(1, 31, 1)];
  const chunks = [...chunksOf(hours, 2)];
  expect(chunks.flat()).toEqual(hours);
  expect(chunks.map((chunk) => chunk.map(({ hour }) => hour / 3600))).toEqual([[0, 0], [1], [30, 31]]);
  expect([...chunksOf([], 2)]).toEqual([]);
});

test('an hour brings the next one, under the higher of their versions', () => {
  const hours = withNextHours([due(1, 5, 10), due(1, 6, 7), due(2, 5, 3)]);
  expect(hours.map(({ tenant, hour, version }) => [tenant, hour / 3600, version])).toEqual([
    [1, 5, 10],
    [1, 6, 10],
    [1, 7, 7],
    [2, 5, 3],
    [2, 6, 3],
  ]);
});
