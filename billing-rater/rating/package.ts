import { Decimal } from 'streams/contract';
import { type Priced, requireQuantity, toPriced, toStep } from './priced.ts';
import type { PackageCharge } from './rate-card.ts';
import { cutByTiers, describeTier } from './tiers.ts';

/**
 * Started packages beyond the included units. The tiers count from 0, the included units with them; each tier rounds up its own started packages.
 *
 * *Shape* the quantity of a step is a number of packages.
 */
export function pricePackage(
  charge: Pick<PackageCharge, 'package_size' | 'free_units' | 'tiers'>,
  quantity: Decimal,
): Priced {
  requireQuantity(quantity);
  const size = Decimal.parse(charge.package_size);
  const free = Decimal.parse(charge.free_units);
  const included = Decimal.min(quantity, free);
  const steps = cutByTiers(charge.tiers, quantity)
    .map((cut) => {
      const from = Decimal.max(cut.from, free);
      const reached = cut.upTo === null ? quantity : Decimal.min(cut.upTo, quantity);
      return { ...cut, from, portion: Decimal.max(Decimal.zero, reached.subtract(from)) };
    })
    .filter(({ portion }) => !portion.isZero())
    .map(({ tier, from, upTo, portion }) =>
      toStep(
        `${describeTier(from, upTo)}, each started ${size.toString()}`,
        portion.divide(size, { scale: 0, rounding: 'ceil' }),
        Decimal.parse(tier.package_amount),
      ),
    );
  return toPriced(included.isZero() ? steps : [toStep('included', included, Decimal.zero), ...steps]);
}
