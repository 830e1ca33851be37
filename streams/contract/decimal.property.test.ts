import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decimal, type Rounding } from './decimal.ts';

const integer = fc.bigInt({ min: -(10n ** 45n), max: 10n ** 45n });
const decimal = fc.tuple(integer, fc.integer({ min: 0, max: 15 })).map(([digits, scale]) => Decimal.of(digits, scale));
const rounding = fc.constantFrom<Rounding>('half-even', 'half-up', 'up', 'ceil', 'down');

describe('Decimal', () => {
  test('text survives parse and print, also far above 2^53', () => {
    fc.assert(
      fc.property(decimal, (value) => {
        expect(Decimal.parse(value.toString()).equals(value)).toBe(true);
        expect(value.toString()).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
        expect(value.toString()).not.toBe('-0');
      }),
    );
    expect(Decimal.parse('9007199254740993').add(Decimal.one).toString()).toBe('9007199254740994');
    expect(Decimal.parse('0.1').add(Decimal.parse('0.2')).toString()).toBe('0.3');
  });

  test('equal values have equal text whatever their zeros', () => {
    expect(Decimal.parse('-0.00').toString()).toBe('0');
    expect(Decimal.parse('007.500').toString()).toBe('7.5');
    expect(Decimal.parse('100').toFixed(2)).toBe('100.00');
    expect(Decimal.parse('-0.05').toString()).toBe('-0.05');
  });

  test('the laws of arithmetic hold exactly', () => {
    fc.assert(
      fc.property(decimal, decimal, decimal, (a, b, c) => {
        expect(a.add(b).equals(b.add(a))).toBe(true);
        expect(
          a
            .add(b)
            .add(c)
            .equals(a.add(b.add(c))),
        ).toBe(true);
        expect(a.multiply(b.add(c)).equals(a.multiply(b).add(a.multiply(c)))).toBe(true);
        expect(a.subtract(b).add(b).equals(a)).toBe(true);
        expect(a.compare(b)).toBe(-b.compare(a) + 0);
        expect(a.compare(b) === 0).toBe(a.equals(b));
      }),
    );
  });

  test('a quotient is the nearest value under its rounding', () => {
    const divisor = decimal.filter((value) => !value.isZero());
    fc.assert(
      fc.property(decimal, divisor, fc.integer({ min: 0, max: 8 }), rounding, (a, b, scale, mode) => {
        const quotient = a.divide(b, { scale, rounding: mode });
        const error = a.subtract(quotient.multiply(b));
        const magnitude = (value: Decimal) => (value.isNegative() ? value.negate() : value);
        const unit = magnitude(b).multiply(Decimal.of(1n, scale));
        const bound = mode.startsWith('half') ? magnitude(error).multiply(Decimal.of(2n)) : magnitude(error);
        expect(bound.compare(unit)).toBeLessThanOrEqual(mode.startsWith('half') ? 0 : -1);
        if (mode === 'down') expect(magnitude(quotient.multiply(b)).compare(magnitude(a))).toBeLessThanOrEqual(0);
        if (mode === 'up') expect(magnitude(quotient.multiply(b)).compare(magnitude(a))).toBeGreaterThanOrEqual(0);
        expect(quotient.scale).toBeLessThanOrEqual(scale);
      }),
    );
  });

  test.each<[string, Rounding, string]>([
    ['2.5', 'half-even', '2'],
    ['3.5', 'half-even', '4'],
    ['-2.5', 'half-even', '-2'],
    ['2.5', 'half-up', '3'],
    ['-2.5', 'half-up', '-3'],
    ['2.1', 'up', '3'],
    ['-2.1', 'up', '-3'],
    ['2.1', 'ceil', '3'],
    ['-2.9', 'ceil', '-2'],
    ['2.9', 'down', '2'],
    ['-2.9', 'down', '-2'],
    ['2', 'up', '2'],
  ])('%s rounded %s is %s', (text, mode, expected) => {
    expect(Decimal.parse(text).round(0, mode).toString()).toBe(expected);
    expect(Decimal.parse(text).divide(Decimal.one, { scale: 0, rounding: mode }).toString()).toBe(expected);
  });

  test.each(['', '.5', '5.', '1e3', '+1', ' 1', '1,5', 'NaN', '--1', '0x10', '١', '9'.repeat(500)])(
    '"%s" is refused with the field that carried it',
    (text) => {
      expect(() => Decimal.parse(text, 'data.value')).toThrow(
        expect.objectContaining({ code: 'decimal.invalid', field: 'data.value', status: 400 }),
      );
    },
  );

  test('a division by zero is refused', () => {
    expect(() => Decimal.one.divide(Decimal.zero, { scale: 2, rounding: 'down' })).toThrow(
      expect.objectContaining({ code: 'decimal.division_by_zero' }),
    );
  });
});
