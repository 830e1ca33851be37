import { Decimal } from 'streams/contract';
import { describe, expect, test } from 'vitest';
import { type LedgerHour, reconcile } from './reconcile.ts';

const hour = Date.parse('2026-11-21T10:00:00Z') / 1000;
const rolled = (counted: number, points = 7, rollUpPending = false) => ({ points, counted, rollUpPending });
const row = (over: Partial<LedgerHour> = {}): LedgerHour => ({
  tenant: 'isp-alpha',
  signal: 'metrics',
  hour,
  accepted: 10,
  logged: 10,
  duplicates: 3,
  conflicts: 0,
  stored: 7,
  rollUp: rolled(7),
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
    [{ stored: 6, rollUp: rolled(7, 6) }, ['accepted balanced', 'logged mismatch', 'stored mismatch']],
    [{ stored: 8, rollUp: rolled(8, 8) }, ['accepted balanced', 'logged mismatch', 'stored balanced']],
    [{ rollUp: rolled(6) }, ['accepted balanced', 'logged balanced', 'stored mismatch']],
  ])('%o is found', (over, expected) => {
    expect(states(over)).toEqual(expected);
    expect(reconcile([row(over)], at('11:15:00')).balanced).toBe(false);
  });

  test('a hand-over that is not due is pending and does not unbalance', () => {
    expect(states({ rollUp: rolled(6) }, '11:14:59')).toContain('stored pending');
    expect(states({ stored: 6, rollUp: rolled(6, 6) }, '10:59:59')).toContain('logged pending');
    expect(states({ stored: 6, rollUp: rolled(6, 6) }, '11:00:00')).toContain('logged mismatch');
    expect(states({ stored: 0, rollUp: rolled(0, 0), inFlight: true })).toContain('logged pending');
    // the roll-up knows that a newer batch waits for it
    expect(states({ rollUp: rolled(6, 7, true) }, '12:00:00')).toContain('stored pending');
    expect(states({ rollUp: rolled(7, 7, true) }, '12:00:00')).toContain('stored pending');
    // histogram points are stored and not rolled up
    expect(states({ rollUp: rolled(2, 2) })).toContain('stored balanced');
    expect(reconcile([row({ rollUp: rolled(6) })], at('11:14:59')).balanced).toBe(true);
  });

  test('conflicts are named among the duplicates and change no balance; more of them than duplicates are a mismatch', () => {
    const sum = (text: string) => Decimal.parse(text);
    const sums = { accepted: sum('9'), logged: sum('9'), duplicates: sum('5'), conflicts: sum('3'), stored: sum('4') };
    const events = { signal: 'events', rollUp: null, sums };
    const { balanced, handovers } = reconcile([row({ ...events, conflicts: 2 })], at('11:15:00'));
    expect(balanced).toBe(true);
    expect(handovers.map(({ counts, sums }) => ({ counts, sums }))).toEqual([
      { counts: { from: 10, to: 10, duplicates: 0 }, sums: { from: '9', to: '9', duplicates: '0' } },
      {
        counts: { from: 10, to: 7, duplicates: 3, conflicts: 2 },
        sums: { from: '9', to: '4', duplicates: '5', conflicts: '3' },
      },
    ]);
    expect(states({ ...events, conflicts: 4 })).toEqual(['accepted balanced', 'logged mismatch']);
  });

  test('equal counts with another sum of values are a mismatch', () => {
    const sum = (text: string) => Decimal.parse(text);
    const sums = {
      accepted: sum('5.5'),
      logged: sum('5.5'),
      duplicates: sum('1.5'),
      conflicts: sum('0'),
      stored: sum('4'),
    };
    const events = { signal: 'events', rollUp: null };
    expect(states({ ...events, sums })).toEqual(['accepted balanced', 'logged balanced']);
    expect(states({ ...events, sums: { ...sums, stored: sum('4.000000000001') } })).toEqual([
      'accepted balanced',
      'logged mismatch',
    ]);
  });
});
