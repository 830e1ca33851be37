import { Decimal } from 'streams/contract';
import { type Priced, requireQuantity, toPriced, toStep } from './priced.ts';
import { cutByTiers, describeTier } from './tiers.ts';

/** A tier of a volume charge: a price a unit, or one a started package; `package_size` 0 means none. */
export interface VolumeTier {
  readonly up_to: string | null;
  readonly unit_amount: string;
  readonly flat_amount: string;
  readonly package_size: string;
  readonly package_amount: string;
}

/** All units at the price of the one tier that the quantity falls in, and its flat amount once. *Shape* a quantity of 0 costs nothing. */
export function priceVolume(charge: { readonly tiers: readonly VolumeTier[] }, quantity: Decimal): Priced {
  requireQuantity(quantity);
  const reached = cutByTiers(charge.tiers, quantity).findLast(({ portion }) => !portion.isZero());
  if (reached === undefined) return toPriced([]);
  const { tier, from, upTo } = reached;
  const described = describeTier(from, upTo);
  const size = Decimal.parse(tier.package_size);
  const step = size.isZero()
    ? toStep(described, quantity, Decimal.parse(tier.unit_amount))
    : toStep(
        `${described}, each started ${size.toString()}`,
        quantity.divide(size, { scale: 0, rounding: 'ceil' }),
        Decimal.parse(tier.package_amount),
      );
  const flat = Decimal.parse(tier.flat_amount);
  return toPriced(flat.isZero() ? [step] : [step, toStep(`${described}, flat`, Decimal.one, flat)]);
}
