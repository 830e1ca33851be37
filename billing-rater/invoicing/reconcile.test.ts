import { Decimal } from 'streams/contract';
import { describe, expect, test } from 'vitest';
import { type LedgerHour, reconcile } from './reconcile.ts';

const hour = Date.parse('2026-11-21T10:00:00Z') / 1000;
const row = (over: Partial<LedgerHour> = {}): LedgerHour => ({
  tenant: 'isp-alpha',
  signal: 'metrics',
  hour,
  accepted: 10,
  logged: 10,
  duplicates: 3,
  stored: 7,
  rolledUp: 7,
  sums: null,
  inFlight: false,
  ...over,
});
const at = (time: string) => Date.parse(`2026-11-21T${time}Z`);
const states = (over: Partial<LedgerHour>, time = '11:15:00') =>
  reconcile([row(over)], at(time)).handovers.map(({ from, state }) => `${from} ${state}`);

describe('reconcile', () => {
  test('duplicates explain what was not stored', () => {
    expect(reconcile([row()], at('11:15:00'))).toMatchObject({ balanced: true });
    expect(states({})).toEqual(['accepted balanced', 'logged balanced', 'stored balanced']);
  });

  test.each([
    [{ accepted: 11 }, ['accepted mismatch', 'logged balanced', 'stored balanced']],
    [{ stored: 6 }, ['accepted balanced', 'logged mismatch', 'stored mismatch']],
    [{ stored: 8, rolledUp: 8 }, ['accepted balanced', 'logged mismatch', 'stored balanced']],
    [{ rolledUp: 6 }, ['accepted balanced', 'logged balanced', 'stored mismatch']],
  ])('%o is found', (over, expected) => {
    expect(states(over)).toEqual(expected);
    expect(reconcile([row(over)], at('11:15:00')).balanced).toBe(false);
  });

  test('a hand-over that is not due is pending and does not unbalance', () => {
    expect(states({ rolledUp: 6 }, '11:14:59')).toContain('stored pending');
    expect(states({ stored: 6, rolledUp: 6 }, '10:59:59')).toContain('logged pending');
    expect(states({ stored: 6, rolledUp: 6 }, '11:00:00')).toContain('logged mismatch');
    expect(states({ stored: 0, rolledUp: 0, inFlight: true })).toContain('logged pending');
    expect(reconcile([row({ rolledUp: 6 })], at('11:14:59')).balanced).toBe(true);
  });

  test('equal counts with another sum of values are a mismatch', () => {
    const sum = (text: string) => Decimal.parse(text);
    const sums = { accepted: sum('5.5'), logged: sum('5.5'), duplicates: sum('1.5'), stored: sum('4') };
    const events = { signal: 'events', rolledUp: null };
    expect(states({ ...events, sums })).toEqual(['accepted balanced', 'logged balanced']);
    expect(states({ ...events, sums: { ...sums, stored: sum('4.000000000001') } })).toEqual([
      'accepted balanced',
      'logged mismatch',
    ]);
  });
});
