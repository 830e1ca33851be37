import { Decimal } from 'streams/contract';

/** A tier's bounds: above `from`, up to and including `upTo`; null is without end. */
export interface TierPortion<T> {
  readonly tier: T;
  readonly from: Decimal;
  readonly upTo: Decimal | null;
  /** How much of the quantity lies in the tier, ≥ 0. */
  readonly portion: Decimal;
}

/** Cuts a quantity at the tiers' upper bounds. The portions add up to the quantity. *Shape* tiers ascend and the last has no end (the card's schema holds that). */
export function cutByTiers<T extends { readonly up_to: string | null }>(
  tiers: readonly T[],
  quantity: Decimal,
): TierPortion<T>[] {
  let from = Decimal.zero;
  return tiers.map((tier) => {
    const upTo = tier.up_to === null ? null : Decimal.parse(tier.up_to);
    const top = upTo === null ? quantity : Decimal.min(quantity, upTo);
    const cut = { tier, from, upTo, portion: Decimal.max(Decimal.zero, top.subtract(from)) };
    from = upTo ?? from;
    return cut;
  });
}

const grouped = (value: Decimal): string => {
  const [whole = '', fraction] = value.toString().split('.');
  const spaced = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
};

/** `above 500 to 1,500`, for people. */
export function describeTier(from: Decimal, upTo: Decimal | null): string {
  if (upTo === null) return from.isZero() ? 'all' : `above ${grouped(from)}`;
  return from.isZero() ? `up to ${grouped(upTo)}` : `above ${grouped(from)} to ${grouped(upTo)}`;
}
