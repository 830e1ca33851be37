import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decimal } from './decimal.ts';
import { Money, minorDigitsOf } from './money.ts';

const usd = (text: string) => new Money('USD', Decimal.parse(text));

describe('Money', () => {
  test.each([
    ['JPY', '100.5', '101'],
    ['USD', '0.005', '0.01'],
    ['USD', '-0.005', '-0.01'],
    ['KWD', '1.0005', '1.001'],
    ['EUR', '249', '249.00'],
  ])('%s %s rounds to %s', (currency, amount, expected) => {
    expect(new Money(currency, Decimal.parse(amount)).round().toString()).toBe(expected);
  });

  test('two currencies never add up', () => {
    expect(() => usd('1').add(new Money('EUR', Decimal.one))).toThrow(
      expect.objectContaining({ code: 'money.currency_mismatch' }),
    );
    expect(() => new Money('usd', Decimal.one)).toThrow(expect.objectContaining({ code: 'money.currency_invalid' }));
  });

  test('proration rounds once', () => {
    // 99 × 1,000,000 / 2,592,000 = 38.194444… and a tie: 99 × 130,909.0909… is not reachable, 1 × 1 / 200 = 0.005 is.
    expect(usd('99').fraction(Decimal.of(1_000_000n), Decimal.of(2_592_000n)).toString()).toBe('38.19');
    expect(usd('1').fraction(Decimal.of(1n), Decimal.of(200n)).toString()).toBe('0.01');
  });

  test('a split adds up to the whole and no part is off by a minor unit or more', () => {
    const weights = fc
      .array(fc.bigInt({ min: 0n, max: 10n ** 24n }), { minLength: 1, maxLength: 12 })
      .filter((list) => list.some((weight) => weight > 0n));
    fc.assert(
      fc.property(
        fc.constantFrom('USD', 'JPY', 'KWD'),
        fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
        weights,
        (currency, units, list) => {
          const digits = minorDigitsOf(currency);
          const whole = new Money(currency, Decimal.of(units, digits));
          const parts = whole.split(list.map((weight) => Decimal.of(weight, 6)));
          expect(Money.sum(currency, parts).toString()).toBe(whole.toString());
          const total = list.reduce((sum, weight) => sum + weight, 0n);
          parts.forEach((part, index) => {
            // |part × total − whole × weight| < one minor unit × total, in exact integers
            const ideal = whole.amount.multiply(Decimal.of(list[index] ?? 0n));
            const difference = part.amount.multiply(Decimal.of(total)).subtract(ideal);
            const magnitude = difference.isNegative() ? difference.negate() : difference;
            expect(magnitude.compare(Decimal.of(total, digits))).toBe(-1);
          });
        },
      ),
    );
  });

  test('the cent that is left goes to the largest remainder', () => {
    expect(usd('100').split([Decimal.one, Decimal.one, Decimal.one]).map(String)).toEqual(['33.34', '33.33', '33.33']);
    expect(
      usd('0.02')
        .split([Decimal.of(1n), Decimal.of(5n)])
        .map(String),
    ).toEqual(['0.00', '0.02']);
  });
});
