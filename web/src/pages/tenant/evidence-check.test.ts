import { expect, test } from 'vitest';
import { recompute } from './evidence-check.ts';

const fee =
  'covered_seconds / period_seconds of the subscription record, to 12 digits half-even; the amount is computed from the seconds';

test('the part of a period that a subscription covers', () => {
  expect(recompute(fee, [{ covered_seconds: 822_360, period_seconds: 2_592_000 }])).toBe('0.317268518519');
  expect(recompute(fee, [{ covered_seconds: '1', period_seconds: '0' }])).toBeNull();
  expect(recompute(fee, [])).toBeNull();
});

test('averages over all rows with one rounding', () => {
  const rows = [
    { value: '1668600', seconds: '900' },
    { value: '1669501', seconds: '900' },
  ];
  expect(recompute('sum(value) / sum(seconds), rounded up to a whole unit; 0 when nothing was measured', rows)).toBe(
    '1855',
  );
  expect(recompute('sum(value) / 1000 / 10, to 3 digits half-even; value = byte-seconds', rows)).toBe('333.810');
});

test('a form that is not known, or a value that is not exact, is not recomputed', () => {
  expect(recompute('median(value)', [{ value: '1' }])).toBeNull();
  expect(recompute('sum(value)', [{ value: 0.1 }])).toBeNull();
});
