import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { periodAt, periodBefore, periodOf } from './period.ts';

const zones = [
  'UTC',
  'America/New_York',
  'Europe/Dublin',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Sao_Paulo',
];
const month = fc
  .tuple(fc.integer({ min: 1990, max: 2090 }), fc.integer({ min: 1, max: 12 }))
  .map(([year, number]) => `${year}-${String(number).padStart(2, '0')}`);

describe('periodOf', () => {
  test.each([
    // New York leaves summer time on 1 November 2026 and enters it on 8 March: 30 days + 1 h, 31 days − 1 h.
    ['2026-11', 'America/New_York', '2026-11-01T04:00:00Z', '2026-12-01T05:00:00Z', 30 * 86_400 + 3_600],
    ['2026-03', 'America/New_York', '2026-03-01T05:00:00Z', '2026-04-01T04:00:00Z', 31 * 86_400 - 3_600],
    // Dublin: winter time from 25 October 2026.
    ['2026-10', 'Europe/Dublin', '2026-09-30T23:00:00Z', '2026-11-01T00:00:00Z', 31 * 86_400 + 3_600],
    // Lord Howe moves by half an hour: 5 April and 4 October 2026.
    ['2026-04', 'Australia/Lord_Howe', '2026-03-31T13:00:00Z', '2026-04-30T13:30:00Z', 30 * 86_400 + 1_800],
    ['2026-10', 'Australia/Lord_Howe', '2026-09-30T13:30:00Z', '2026-10-31T13:00:00Z', 31 * 86_400 - 1_800],
    ['2028-02', 'UTC', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z', 29 * 86_400],
  ])('%s in %s is %s to %s', (period, zone, start, end, seconds) => {
    expect(periodOf(period, zone)).toMatchObject({ start, end, seconds });
  });

  test('periods of a zone meet without gap or overlap, on quarter hours', () => {
    fc.assert(
      fc.property(month, fc.constantFrom(...zones), (text, zone) => {
        const period = periodOf(text, zone);
        expect(periodBefore(period).endMs).toBe(period.startMs);
        expect(period.startMs % 900_000).toBe(0);
        expect(period.seconds).toBe((period.endMs - period.startMs) / 1000);
        expect(Number.isInteger(period.seconds)).toBe(true);
      }),
    );
  });

  test('every instant is in exactly the period that is found for it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 631_152_000_000, max: 3_786_912_000_000 }),
        fc.constantFrom(...zones),
        (at, zone) => {
          const period = periodAt(at, zone);
          expect(period.startMs <= at && at < period.endMs).toBe(true);
          expect(periodAt(period.endMs, zone).startMs).toBe(period.endMs);
        },
      ),
    );
  });

  test('the starts are midnight in the zone, as the system calendar shows it', () => {
    fc.assert(
      fc.property(month, fc.constantFrom('America/New_York', 'Europe/Dublin', 'Australia/Lord_Howe'), (text, zone) => {
        const shown = new Intl.DateTimeFormat('sv', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' }).format(
          periodOf(text, zone).startMs,
        );
        expect(shown).toBe(`${text}-01 00:00`);
      }),
    );
  });

  test.each(['2026-13', '2026-00', '2026-1', '26-01', '', '2026-11-01', '1969-12'])('"%s" is refused', (text) => {
    expect(() => periodOf(text, 'UTC')).toThrow(expect.objectContaining({ code: 'period.invalid', field: 'period' }));
  });

  test('an unknown zone is refused', () => {
    expect(() => periodOf('2026-11', 'Mars/Olympus')).toThrow(expect.objectContaining({ code: 'period.zone_invalid' }));
    expect(() => periodAt(0, 'Mars/Olympus')).toThrow(expect.objectContaining({ code: 'period.zone_invalid' }));
  });
});
