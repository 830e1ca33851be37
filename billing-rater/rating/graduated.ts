import { Decimal } from 'streams/contract';
import { type Priced, requireQuantity, toPriced, toStep } from './priced.ts';
import type { GraduatedCharge } from './rate-card.ts';
import { cutByTiers, describeTier } from './tiers.ts';

/** Each unit at its own tier's price; a tier's flat amount once when any unit falls in it. */
export function priceGraduated(charge: Pick<GraduatedCharge, 'tiers'>, quantity: Decimal): Priced {
  requireQuantity(quantity);
  const steps = cutByTiers(charge.tiers, quantity)
    .filter(({ portion }) => !portion.isZero())
    .flatMap(({ tier, from, upTo, portion }) => {
      const step = toStep(describeTier(from, upTo), portion, Decimal.parse(tier.unit_amount));
      const flat = Decimal.parse(tier.flat_amount);
      return flat.isZero() ? [step] : [step, toStep(`${step.description}, flat`, Decimal.one, flat)];
    });
  return toPriced(steps);
}
