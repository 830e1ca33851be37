import { expect, test } from 'vitest';
import { nextChunk } from './sla-job.ts';

const hour = (tenant: number, at: number, partition = 0) => ({ tenant, hour: at * 3600, partition });

test('the newest hours come first, of one partition, without a wide gap', () => {
  const due = [hour(1, 10), hour(2, 100), hour(1, 99), hour(3, 100, 1), hour(1, 100)];
  expect(nextChunk(due)).toEqual([hour(1, 100), hour(2, 100), hour(1, 99)]);
  expect(nextChunk([])).toEqual([]);
});

test('a chunk ends after two days and after 300 tenant-hours', () => {
  const long = Array.from({ length: 100 }, (_, i) => hour(1, i));
  expect(nextChunk(long).map((item) => item.hour / 3600)).toEqual(Array.from({ length: 48 }, (_, i) => 99 - i));
  const wide = Array.from({ length: 1000 }, (_, i) => hour(i, 5));
  expect(nextChunk(wide)).toHaveLength(300);
});
