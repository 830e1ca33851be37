import { Decimal } from 'streams/contract';
import { type Priced, requireQuantity, toPriced, toStep } from './priced.ts';
import type { PerUnitCharge } from './rate-card.ts';

/** One price a unit beyond the included quantity; fractions of a unit count. */
export function pricePerUnit(
  charge: Pick<PerUnitCharge, 'unit_amount'>,
  quantity: Decimal,
  included: Decimal = Decimal.zero,
): Priced {
  requireQuantity(quantity);
  const unitPrice = Decimal.parse(charge.unit_amount);
  const free = Decimal.min(quantity, included);
  const beyond = quantity.subtract(free);
  const steps = [
    ...(free.isZero() ? [] : [toStep(`included (${included.toString()})`, free, Decimal.zero)]),
    ...(beyond.isZero() ? [] : [toStep('beyond the included quantity', beyond, unitPrice)]),
  ];
  return toPriced(steps, unitPrice);
}
