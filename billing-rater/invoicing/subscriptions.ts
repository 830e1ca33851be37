import { type BillingPeriod, Decimal, type Tier } from 'streams/contract';

/** What a tenant subscribed to and when; half-open, `validTo` null while it runs. *Units* ISO 8601 instants. */
export interface Subscription {
  readonly id: string;
  readonly tier: Tier;
  readonly plan: string;
  readonly validFrom: string;
  readonly validTo: string | null;
}

/** The part of a period that a subscription covers. */
export interface CoveredSubscription extends Subscription {
  readonly coveredSeconds: number;
}

const wholeSecond = (instant: string) => Math.floor(Date.parse(instant) / 1000);

/**
 * Subscriptions that cover some of a period, in order of time.
 *
 * *Shape* instants are cut to whole seconds first, so that records which follow each other cover the period without gap or overlap; a running subscription covers it to its end.
 */
export function coverPeriod(records: readonly Subscription[], period: BillingPeriod): CoveredSubscription[] {
  const start = period.startMs / 1000;
  const end = period.endMs / 1000;
  return records
    .map((record) => {
      const from = Math.max(start, wholeSecond(record.validFrom));
      const to = record.validTo === null ? end : Math.min(end, wholeSecond(record.validTo));
      return { ...record, coveredSeconds: Math.max(0, to - from) };
    })
    .filter(({ coveredSeconds }) => coveredSeconds > 0)
    .toSorted((a, b) => (a.validFrom < b.validFrom ? -1 : a.validFrom > b.validFrom ? 1 : a.id < b.id ? -1 : 1));
}

/** Digits of a prorated included quantity, half-even. */
const includedDigits = 12;

/** What tiers include, weighted by the seconds each was subscribed to. */
export function includedQuantity(
  covered: readonly CoveredSubscription[],
  periodSeconds: number,
  includedOf: (tier: Tier) => Decimal,
): Decimal {
  const weighted = Decimal.sum(
    covered.map(({ tier, coveredSeconds }) => includedOf(tier).multiply(Decimal.of(BigInt(coveredSeconds)))),
  );
  return weighted.divide(Decimal.of(BigInt(periodSeconds)), { scale: includedDigits, rounding: 'half-even' });
}
