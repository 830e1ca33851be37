import { AppError, Decimal } from 'streams/contract';

/** One step of a price: `quantity` × `unitPrice` = `amount`, exact and not rounded. */
export interface PricedStep {
  readonly description: string;
  readonly quantity: Decimal;
  readonly unitPrice: Decimal;
  readonly amount: Decimal;
}

/** What a strategy returns. `amount` is the exact sum of the steps; the invoice line rounds it once. */
export interface Priced {
  readonly amount: Decimal;
  /** The one price a unit, null when the price has steps. */
  readonly unitPrice: Decimal | null;
  readonly steps: readonly PricedStep[];
}

export function toStep(description: string, quantity: Decimal, unitPrice: Decimal): PricedStep {
  return { description, quantity, unitPrice, amount: quantity.multiply(unitPrice) };
}

export function toPriced(steps: readonly PricedStep[], unitPrice: Decimal | null = null): Priced {
  return { amount: Decimal.sum(steps.map((step) => step.amount)), unitPrice, steps };
}

/** Every strategy prices from 0 up. *Errors* `rating.negative_quantity` (not retryable): a bill is never negative, and a sum below 0 is a mistake of its sender. */
export function requireQuantity(quantity: Decimal): void {
  if (quantity.isNegative()) {
    throw new AppError('rating.negative_quantity', `a quantity of ${quantity.toString()} cannot be priced`, {
      status: 422,
      field: 'quantity',
    });
  }
}
