import { Decimal, invariant, type Tier } from 'streams/contract';
import { priceGraduated } from './graduated.ts';
import { pricePackage } from './package.ts';
import { pricePerUnit } from './per-unit.ts';
import { pricePercentage, type TransactionGroup } from './percentage.ts';
import type { Priced } from './priced.ts';
import type { MeteredCharge, PerUnitCharge } from './rate-card.ts';

/** What a metered charge is priced from. */
export interface Usage {
  readonly quantity: Decimal;
  /** Quantity included with the subscription, already prorated. */
  readonly included?: Decimal;
  /** Only `percentage` reads them; their amounts add up to `quantity`. */
  readonly transactions?: readonly TransactionGroup[];
}

/** Prices a quantity by its charge's model; exact, not rounded. *Errors* `rating.negative_quantity`. */
export function priceCharge(charge: MeteredCharge, usage: Usage): Priced {
  switch (charge.model) {
    case 'graduated':
      return priceGraduated(charge, usage.quantity);
    case 'package':
      return pricePackage(charge, usage.quantity);
    case 'per_unit':
      return pricePerUnit(charge, usage.quantity, usage.included);
    case 'percentage':
      invariant(usage.transactions !== undefined, 'a percentage is charged a transaction');
      return pricePercentage(charge, usage.transactions);
  }
}

/** Quantity of a per-unit charge that comes with a tier for a whole period. */
export function includedOf(charge: PerUnitCharge, tier: Tier): Decimal {
  return Decimal.parse(charge.included_by_tier?.[tier] ?? '0');
}
