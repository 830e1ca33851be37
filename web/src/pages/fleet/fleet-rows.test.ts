import { expect, test } from 'vitest';
import { fleetOf, invoiceOf } from '../../../mock/fixtures.ts';
import {
  billTotals,
  budgetText,
  filterEntries,
  fleetSentence,
  isBreaching,
  joinFleet,
  sortEntries,
  unreadFleet,
} from './fleet-rows.ts';
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

test('bills are compared as decimals, each currency for itself', () => {
  const sorted = sortEntries(entries, { key: 'bill', descending: true });
  const currencies = sorted.map((entry) => entry.invoice?.currency);
  expect(currencies).toEqual(currencies.toSorted());
  expect(new Set(currencies).size).toBeGreaterThan(1);
  for (const currency of new Set(currencies)) {
    const totals = sorted.flatMap(({ invoice }) => (invoice?.currency === currency ? [Number(invoice?.total)] : []));
    expect(totals).toEqual(totals.toSorted((a, b) => b - a));
  }
});

test('of equal health those over their error budget stand first', () => {
  const healthy = sortEntries(entries, { key: 'health', descending: false }).filter((entry) => entry.health === 'up');
  const over = healthy.map(isBreaching);
  expect(over).toEqual(over.toSorted((a, b) => Number(b) - Number(a)));
});

test('tenants whose figures were not read are not called unmeasured', () => {
  const unread = unreadFleet(
    rows.map((row) => row.tenant),
    'no answer',
    undefined,
    [],
  );
  expect(fleetSentence(unread)).toBe('12 tenants; how they are could not be read.');
  expect(unread[0]).toMatchObject({ unread: 'no answer', attainment: null, customers: null, openDecisions: 0 });
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

test('a budget that is small because little was measured does not read as used up', () => {
  const [row] = rows;
  if (row === undefined) throw new Error('invariant: there is a row');
  const say = (budgetRemaining: number, budgetRemainingSeconds: number) =>
    budgetText({ ...row, budgetRemaining, budgetRemainingSeconds });
  expect(say(1, 0)).toBe('little measured yet');
  expect(say(0.0002, 0)).toBe('< 0.1 min left');
  expect(say(0, 0)).toBe('0.0 min left');
  expect(say(0.9, 1200)).toBe('20 min left');
  expect(say(-0.5, -600)).toBe('10 min over');
});
