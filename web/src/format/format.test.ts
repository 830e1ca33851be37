import { describe, expect, test } from 'vitest';
import { toCsv } from './csv.ts';
import { addDecimals, compareDecimals, formatQuantity, trimDecimal } from './decimal.ts';
import { formatAttainment, formatBudget, formatCount } from './figure.ts';
import { chooseLocale } from './locale.ts';
import { formatMoney, formatUnitPrice } from './money.ts';
import { parseRange, stepSeconds, stepText } from './range.ts';
import { dayOf, daysOf, formatDuration, formatInstant, formatRelative, periodOf, shiftPeriod } from './time.ts';

describe('decimals and money', () => {
  test('a sum that a float cannot hold is exact', () => {
    expect(addDecimals('9007199254740993.01', '0.02')).toBe('9007199254740993.03');
    expect(addDecimals('0.1', '0.2')).toBe('0.3');
    expect(addDecimals('-5', '4.25')).toBe('-0.75');
  });
  test('order is by value, not by text or float', () => {
    expect(['10', '9.999999999999999999', '-1', '10.0'].toSorted(compareDecimals)).toEqual([
      '-1',
      '9.999999999999999999',
      '10',
      '10.0',
    ]);
    expect(compareDecimals('9007199254740993', '9007199254740992')).toBe(1);
  });
  test('money keeps digits beyond a float and rounds only what is shown', () => {
    expect(formatMoney('12345678901234567.89', 'USD', 'en-US')).toBe('$12,345,678,901,234,567.89');
    expect(formatMoney('0.005', 'EUR', 'en-IE')).toBe('€0.01');
    expect(formatMoney(null, 'EUR', 'en-IE')).toBe('–');
    expect(formatUnitPrice('0.0061', 'USD', 'en-US')).toBe('$0.0061');
    expect(formatUnitPrice('29', 'USD', 'en-US')).toBe('$29.00');
  });
  test('a quantity is cut and says so, never rounded up', () => {
    expect(formatQuantity('1284730.000000')).toBe('1,284,730');
    expect(formatQuantity('62.482999')).toBe('62.482…');
    expect(formatQuantity('-1234.5')).toBe('−1,234.5');
    expect(formatQuantity('0.000412907')).toBe('0.00041…');
    expect(trimDecimal('100')).toBe('100');
    expect(trimDecimal('12.500')).toBe('12.5');
  });
});

describe('figures', () => {
  test('a service level that missed 100 % never reads as 100.000 %', () => {
    expect(formatAttainment(0.9999999)).toBe('99.999 %');
    expect(formatAttainment(1)).toBe('100.000 %');
    expect(formatAttainment(0.9995)).toBe('99.950 %');
    expect(formatAttainment(null)).toBe('–');
  });
  test('budget is in minutes', () => {
    expect(formatBudget(90)).toBe('1.5 min');
    expect(formatBudget(-1296)).toBe('−22 min');
  });
  test('large counts are shortened, missing ones are not zero', () => {
    expect(formatCount(1_200_000, 'en-GB')).toBe('1.2 M');
    expect(formatCount(9999, 'en-GB')).toBe('9,999');
    expect(formatCount(0, 'en-GB')).toBe('0');
    expect(formatCount(null)).toBe('–');
  });
});

describe('time', () => {
  test('days and periods are those of the zone', () => {
    const at = Date.parse('2026-10-31T23:30:00Z');
    expect(periodOf(at, 'UTC')).toBe('2026-10');
    expect(periodOf(at, 'Africa/Nairobi')).toBe('2026-11');
    expect(dayOf(at, 'America/Los_Angeles')).toBe('2026-10-31');
    expect(formatInstant('2026-07-01T12:00:00Z', 'Europe/Dublin', 'en-IE')).toMatch(
      /1 July? 2026.*13:00.*(IST|GMT\+1)/,
    );
  });
  test('spans are humane', () => {
    expect(formatDuration(273_600_000)).toBe('3 d 4 h');
    expect(formatDuration(3_600_000)).toBe('1 h');
    expect(formatDuration(0)).toBe('0 s');
    expect(formatRelative(1_000_000, 1_000_000 + 125_000)).toBe('2 min ago');
    expect(formatRelative(8_000_000, 800_000)).toBe('in 2 h');
  });
  test('periods go over the turn of the year', () => {
    expect(shiftPeriod('2026-01', -1)).toBe('2025-12');
    expect(shiftPeriod('2026-12', 1)).toBe('2027-01');
    expect(daysOf('2028-02')).toHaveLength(29);
  });
});

describe('range', () => {
  const now = Date.parse('2026-11-21T10:00:30Z');
  test('a malformed address gives the last 24 hours', () => {
    for (const text of ['', 'range=9y', 'from=x&to=y', 'from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z']) {
      expect(parseRange(new URLSearchParams(text), now)).toMatchObject({ preset: '24h', to: now - 30_000 });
    }
  });
  test('a step gives at most 400 points and is not finer than the history', () => {
    const range = (text: string) => parseRange(new URLSearchParams(text), now);
    for (const preset of ['1h', '6h', '24h', '7d', '30d', '90d']) {
      const chosen = range(`range=${preset}`);
      expect((chosen.to - chosen.from) / 1000 / stepSeconds(chosen, now)).toBeLessThanOrEqual(400);
    }
    expect(stepSeconds(range('from=2026-11-01T00:00:00Z&to=2026-11-01T01:00:00Z'), now)).toBe(300);
    expect(stepSeconds(range('range=1h'), now)).toBe(60);
    expect([60, 300, 3600, 86_400].map(stepText)).toEqual(['1m', '5m', '1h', '1d']);
  });
});

test('a tag that Intl refuses is passed over', () => {
  expect(chooseLocale(['en-US@posix', 'en-IE'])).toBe('en-IE');
  expect(chooseLocale(['de-DE'])).toBe('en-GB');
});

test('CSV quotes what needs it and defuses formulas', () => {
  expect(
    toCsv(
      ['a', 'b'],
      [
        ['x,"y"', null],
        ['=1+1', -2],
      ],
    ),
  ).toBe('a,b\r\n"x,""y""",\r\n\'=1+1,-2\r\n');
});
