import { expect, test } from 'vitest';
import { fleetOf, invoiceOf } from '../../../mock/fixtures.ts';
import { billTotals, filterEntries, fleetSentence, joinFleet, sortEntries } from './fleet-rows.ts';
import { parseFleetView } from './fleet-view.ts';

const rows = fleetOf(12);
const entries = joinFleet(
  rows,
  rows.map((row) => invoiceOf(row, '2026-11')),
  [],
);

test('the sentence counts every tenant once by its health', () => {
  expect(fleetSentence(entries)).toMatch(/^9 of 12 healthy, 1 down, 1 degraded, 1 not measured, /);
});

test('what is not known stands last in either direction', () => {
  for (const descending of [true, false]) {
    const sorted = sortEntries(entries, { key: 'customers', descending });
    expect(sorted.slice(-2).every((entry) => entry.customers === null)).toBe(true);
  }
});

test('bills are compared as decimals', () => {
  const sorted = sortEntries(entries, { key: 'bill', descending: true }).map((entry) => Number(entry.invoice?.total));
  expect(sorted).toEqual(sorted.toSorted((a, b) => b - a));
});

test('totals are kept apart by currency', () => {
  expect(billTotals(entries)).toMatch(/^(?:US)?\$[\d,.]+ \+ €[\d,.]+$/);
  expect(billTotals(joinFleet(rows, undefined, undefined))).toBe('');
});

test('an answer that is missing gives null, not zero', () => {
  const [entry] = joinFleet(rows, undefined, undefined);
  expect(entry).toMatchObject({ invoice: null, openDecisions: null });
});

test('filters add up', () => {
  expect(
    filterEntries(entries, new Set(['down', 'degraded']), false, '')
      .map((entry) => entry.health)
      .toSorted(),
  ).toEqual(['degraded', 'down']);
  expect(filterEntries(entries, new Set(), false, 'MISTRAL')).toHaveLength(1);
});

test('a malformed address gives the usual order', () => {
  expect(parseFleetView(new URLSearchParams('sort=nothing&dir=up')).sorting).toEqual({
    key: 'health',
    descending: false,
  });
});
