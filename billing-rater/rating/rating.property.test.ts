import fc from 'fast-check';
import { Decimal } from 'streams/contract';
import { describe, expect, test } from 'vitest';
import { priceGraduated, pricePackage, pricePercentage, pricePerUnit } from './index.ts';

/** Everything in millionths, as bigint: an oracle that shares no code with the strategies. */
const micro = (value: bigint) => Decimal.of(value, 6);
const quantity = fc.bigInt({ min: 0n, max: 10n ** 24n });
const price = fc.bigInt({ min: 0n, max: 10n ** 12n });
const bounds = fc
  .uniqueArray(fc.bigInt({ min: 1n, max: 10n ** 22n }), { maxLength: 6 })
  .map((list) => list.toSorted((a, b) => (a < b ? -1 : 1)));
const tiersOf = (list: readonly bigint[], prices: readonly bigint[]) =>
  [...list, null].map((upTo, index) => ({ upTo, price: prices[index] ?? 0n, flat: prices[index + 7] ?? 0n }));
const tiers = fc
  .tuple(bounds, fc.array(price, { minLength: 14, maxLength: 14 }))
  .map(([list, prices]) => tiersOf(list, prices));
const lesser = (a: bigint, b: bigint) => (a < b ? a : b);

describe('rating strategies against an integer oracle', () => {
  test('graduated: each unit at its tier, and the steps add up to the amount', () => {
    fc.assert(
      fc.property(quantity, tiers, (units, list) => {
        let expected = 0n;
        let from = 0n;
        for (const { upTo, price: unit, flat } of list) {
          const portion = lesser(upTo ?? units, units) - from;
          if (portion > 0n) expected += portion * unit + flat * 1_000_000n;
          from = upTo ?? units;
        }
        const priced = priceGraduated(
          {
            tiers: list.map((tier) => ({
              up_to: tier.upTo === null ? null : micro(tier.upTo).toString(),
              unit_amount: micro(tier.price).toString(),
              flat_amount: micro(tier.flat).toString(),
            })),
          },
          micro(units),
        );
        expect(priced.amount.toString()).toBe(Decimal.of(expected, 12).toString());
        expect(Decimal.sum(priced.steps.map((step) => step.amount)).equals(priced.amount)).toBe(true);
        for (const step of priced.steps) expect(step.quantity.multiply(step.unitPrice).equals(step.amount)).toBe(true);
      }),
    );
  });

  test('package: each tier rounds up its own started packages beyond the free units', () => {
    const size = fc.bigInt({ min: 1n, max: 10n ** 12n });
    fc.assert(
      fc.property(quantity, tiers, size, quantity, (units, list, packageSize, free) => {
        let expected = 0n;
        let from = 0n;
        for (const { upTo, price: each } of list) {
          const low = from > free ? from : free;
          const high = lesser(upTo ?? units, units);
          if (high > low) expected += ((high - low + packageSize - 1n) / packageSize) * each;
          from = upTo ?? units;
        }
        const priced = pricePackage(
          {
            package_size: micro(packageSize).toString(),
            free_units: micro(free).toString(),
            tiers: list.map((tier) => ({
              up_to: tier.upTo === null ? null : micro(tier.upTo).toString(),
              package_amount: micro(tier.price).toString(),
            })),
          },
          micro(units),
        );
        expect(priced.amount.toString()).toBe(micro(expected).toString());
      }),
    );
  });

  test('per unit: beyond the included quantity only', () => {
    fc.assert(
      fc.property(quantity, quantity, price, (units, included, unit) => {
        const beyond = units > included ? units - included : 0n;
        const priced = pricePerUnit({ unit_amount: micro(unit).toString() }, micro(units), micro(included));
        expect(priced.amount.toString()).toBe(Decimal.of(beyond * unit, 12).toString());
      }),
    );
  });

  test('percentage: the order and grouping of transactions changes nothing', () => {
    const amounts = fc.array(fc.bigInt({ min: -1_000_000n, max: 10n ** 10n }), { maxLength: 40 });
    fc.assert(
      fc.property(amounts, (list) => {
        // 0.5 % of micro-units, between 0.05 and 2.00, in units of 10^-9
        const expected = list
          .filter((amount) => amount >= 0n)
          .map((amount) => amount * 5n)
          .map((share) => (share < 50_000_000n ? 50_000_000n : share > 2_000_000_000n ? 2_000_000_000n : share))
          .reduce((sum, share) => sum + share, 0n);
        const charge = { rate: '0.005', minimum: '0.05', maximum: '2.00' };
        const one = list.map((amount) => ({ amount: micro(amount), count: Decimal.one }));
        const groups = [...new Set(list)].map((amount) => ({
          amount: micro(amount),
          count: Decimal.of(BigInt(list.filter((other) => other === amount).length)),
        }));
        expect(pricePercentage(charge, one).amount.toString()).toBe(Decimal.of(expected, 9).toString());
        expect(pricePercentage(charge, groups.toReversed()).amount.toString()).toBe(Decimal.of(expected, 9).toString());
      }),
    );
  });

  test('more usage never costs less', () => {
    fc.assert(
      fc.property(quantity, quantity, tiers, (a, b, list) => {
        const charge = {
          tiers: list.map((tier) => ({
            up_to: tier.upTo === null ? null : micro(tier.upTo).toString(),
            unit_amount: micro(tier.price).toString(),
            flat_amount: micro(tier.flat).toString(),
          })),
        };
        const [less, more] = [micro(lesser(a, b)), micro(lesser(a, b) === a ? b : a)];
        expect(priceGraduated(charge, less).amount.compare(priceGraduated(charge, more).amount)).toBeLessThanOrEqual(0);
      }),
    );
  });
});
