import { expect, test } from 'vitest';
import { createSelectionReader, prefixesOf, type SelectionRequest, toEngineSeries } from './metric-selection.ts';
import type { BoundedReader } from './query-gate.ts';

const request: SelectionRequest = {
  tenant: 1,
  metric: 'm',
  kind: '',
  conditions: { names: [], operators: [], values: [] },
  groupBy: ['k'],
  every: false,
};
const row = (label: string, ids: string, temporality = 'cumulative') => ({
  ...{ kind: 'sum', temporality, monotonic: true, unit: '1', bounds: [], label },
  ...{ ids, count: ids.split(',').length },
});
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A reader that counts how often it is asked. */
function counting(rows: () => unknown[]): { reader: BoundedReader; asked: () => number } {
  let asked = 0;
  const reader = {
    async query() {
      asked += 1;
      return rows();
    },
  } as unknown as BoundedReader;
  return { reader, asked: () => asked };
}

test('a metric is looked up again within two seconds, behind the back of steady readers', async () => {
  let now = 0;
  let rows: unknown[] = [row('["a"]', '1,2')];
  const { reader, asked } = counting(() => rows);
  const selections = createSelectionReader(() => now);
  expect((await selections.select(reader, request)).seriesCount).toBe(2);
  now = 900;
  await selections.select(reader, request);
  expect(asked()).toBe(1);
  rows = [row('["a"]', '1,2,3')];
  now = 1_100;
  expect((await selections.select(reader, request)).seriesCount).toBe(2);
  await settled();
  expect([asked(), (await selections.select(reader, request)).seriesCount]).toEqual([2, 3]);
  now = 5_000;
  rows = [];
  expect((await selections.select(reader, request)).seriesCount).toBe(0);
  // An empty answer is not kept.
  await selections.select(reader, request);
  expect(asked()).toBe(4);
});

test('only one metric at a time is looked up again behind the back of readers', async () => {
  let now = 0;
  const { reader, asked } = counting(() => [row('["a"]', '1')]);
  const selections = createSelectionReader(() => now);
  const other = { ...request, metric: 'n' };
  await Promise.all([selections.select(reader, request), selections.select(reader, other)]);
  now = 1_500;
  await Promise.all([selections.select(reader, request), selections.select(reader, other)]);
  expect(asked()).toBe(3);
  await settled();
  await selections.select(reader, other);
  expect(asked()).toBe(4);
});

test('ids and groups stand in the same order; one group needs none', async () => {
  const { reader } = counting(() => [row('["a"]', '1,2'), row('["a"]', '3', 'delta'), row('["b"]', String(2n ** 50n))]);
  const { parts, groups } = await createSelectionReader(() => 0).select(reader, request);
  expect(groups).toEqual(['{"k":"a"}', '{"k":"b"}']);
  expect(toEngineSeries(parts, 'group')).toEqual({
    series: '[1,2,3,1125899906842624]',
    groups: '[0,0,0,1]',
    oneGroup: false,
    deltas: '[3]',
  });
  expect(toEngineSeries(parts, 'part').groups).toBe('[0,0,1,2]');
  expect(toEngineSeries(parts.slice(0, 2), 'group')).toMatchObject({ groups: '[]', oneGroup: true });
  expect(prefixesOf(parts)).toBe('[0,4]');
});
