import { Decimal } from 'streams/contract';
import { type Priced, toPriced, toStep } from './priced.ts';
import type { PercentageCharge } from './rate-card.ts';

/** Transactions of one and the same amount. */
export interface TransactionGroup {
  readonly amount: Decimal;
  readonly count: Decimal;
}

/**
 * A share of each transaction's amount, at least `minimum` and at most `maximum` each, exact and not rounded a transaction.
 *
 * *Bias* a negative transaction (a refund) is neither charged nor paid back.
 */
export function pricePercentage(
  charge: Pick<PercentageCharge, 'rate' | 'minimum' | 'maximum'>,
  transactions: readonly TransactionGroup[],
): Priced {
  const rate = Decimal.parse(charge.rate);
  const minimum = Decimal.parse(charge.minimum);
  const maximum = charge.maximum === null ? null : Decimal.parse(charge.maximum);
  let refunded = Decimal.zero;
  let shared = Decimal.zero;
  let atMinimum = Decimal.zero;
  let atMaximum = Decimal.zero;
  for (const { amount, count } of transactions) {
    const share = amount.multiply(rate);
    if (amount.isNegative()) refunded = refunded.add(amount.multiply(count));
    else if (maximum !== null && share.compare(maximum) > 0) atMaximum = atMaximum.add(count);
    else if (share.compare(minimum) < 0) atMinimum = atMinimum.add(count);
    else shared = shared.add(amount.multiply(count));
  }
  const steps = [
    toStep('amounts at the rate', shared, rate),
    toStep('transactions at the minimum', atMinimum, minimum),
    ...(maximum === null ? [] : [toStep('transactions at the maximum', atMaximum, maximum)]),
    toStep('refunds, not charged', refunded, Decimal.zero),
  ];
  return toPriced(steps.filter((step) => !step.quantity.isZero()));
}
