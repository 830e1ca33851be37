import { describe, expect, test } from 'vitest';
import { batchesUpTo, goneBatches, parseRange, partitionsOf, stagesOf, widened } from './plan.ts';

const batch = (partition: number, first: number, last: number, epoch = 'e') => ({
  epoch,
  partition,
  first,
  last,
  token: `${epoch}-telemetry-${partition}-${first}-${last}`,
});

describe('the range of a replay', () => {
  test('is whole UTC hours, half-open', () => {
    expect(parseRange('2026-11-20', '2026-11-20T05:00:00Z')).toEqual({
      fromHour: Date.UTC(2026, 10, 20) / 1000,
      toHour: Date.UTC(2026, 10, 20, 5) / 1000,
    });
  });

  test.each([
    ['2026-11-20T00:30:00Z', '2026-11-21', 'from'],
    ['2026-11-20', 'tomorrow', 'to'],
    ['2026-11-20', '2026-11-20', 'to'],
    ['2026-11-20', '2026-11-19', 'to'],
    ['2026-01-01', '2026-12-01', 'to'],
    ['2026-11-20T00:00:00+02:00', '2026-11-21', 'from'],
  ])('refuses %s to %s, naming %s', (from, to, field) => {
    expect(() => parseRange(from, to)).toThrow(expect.objectContaining({ code: 'replay.range_invalid', field }));
  });
});

test('a range over the end of a month reaches into both months and each of its days', () => {
  const scope = { ...parseRange('2026-11-29T23:00:00Z', '2026-12-01T01:00:00Z'), tenant: null };
  expect(partitionsOf(scope, 'day')).toEqual(['20261129', '20261130', '20261201']);
  expect(partitionsOf(scope, 'month')).toEqual(['202611', '202612']);
});

test('what is rebuilt reaches an hour beyond either end', () => {
  const scope = { fromHour: 7200, toHour: 10_800, tenant: 3 };
  expect(widened(scope)).toEqual({ fromHour: 3600, toHour: 14_400, tenant: 3 });
});

test('a stage takes the batches below its cut-off once, in the order of the log', () => {
  const all = [batch(1, 0, 4), batch(0, 5, 9), batch(0, 0, 4), batch(0, 10, 19)];
  const first = batchesUpTo(all, new Set(), [
    { partition: 0, next: 10 },
    { partition: 1, next: 3 },
  ]);
  expect(first.map(({ token }) => token)).toEqual(['e-telemetry-0-0-4', 'e-telemetry-0-5-9']);
  const rest = batchesUpTo(all, new Set(first.map(({ token }) => token)), [
    { partition: 0, next: 20 },
    { partition: 1, next: 5 },
  ]);
  expect(rest.map(({ token }) => token)).toEqual(['e-telemetry-0-10-19', 'e-telemetry-1-0-4']);
});

test('cut-offs come in order, each once, none beyond the end', () => {
  const at = (next: number) => [{ partition: 0, next }];
  expect(stagesOf([at(9), at(3), at(9), at(99)], at(10))).toEqual([at(3), at(9)]);
});

test('a batch of another log, or one that retention has begun to drop, is gone', () => {
  const all = [batch(0, 0, 9), batch(0, 10, 19), batch(0, 10, 19, 'old')];
  expect(goneBatches(all, 'e', [{ partition: 0, first: 5 }])).toEqual([batch(0, 0, 9), batch(0, 10, 19, 'old')]);
});
