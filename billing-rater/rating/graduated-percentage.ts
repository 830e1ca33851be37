import { AppError, Decimal } from 'streams/contract';

/** A tier of the money that transactions have moved so far in the period. */
export interface PercentageTier {
  readonly up_to: string | null;
  readonly rate: string;
  readonly flat_amount: string;
}

interface Band {
  readonly from: Decimal;
  readonly upTo: Decimal | null;
  readonly rate: Decimal;
  readonly flat: Decimal;
  entered: boolean;
}

function toBands(tiers: readonly PercentageTier[]): Band[] {
  let from = Decimal.zero;
  return tiers.map(({ up_to, rate, flat_amount }) => {
    const upTo = up_to === null ? null : Decimal.parse(up_to);
    const band = { from, upTo, rate: Decimal.parse(rate), flat: Decimal.parse(flat_amount), entered: false };
    from = upTo ?? from;
    return band;
  });
}

/**
 * Prices transactions one by one over tiers of their sum so far: each part of an amount at the rate of the tier that it falls in, a tier's flat amount with the transaction that first enters it.
 *
 * *Shape* the amounts of the calls add up to the price of the period; exact, not rounded. A refund (negative) takes back the rates of what it undoes, never a flat amount.
 * *Errors* `rating.negative_quantity` when the sum so far would fall below 0.
 */
export function createPercentagePricer(tiers: readonly PercentageTier[]): (transaction: Decimal) => Decimal {
  const bands = toBands(tiers);
  let sum = Decimal.zero;
  /** Where the sum lies: money moves through few tiers at a time, whatever their number. */
  let at = 0;

  const isAbove = (band: Band, value: Decimal) => band.upTo !== null && value.compare(band.upTo) > 0;

  return (transaction) => {
    const after = sum.add(transaction);
    if (after.isNegative()) {
      throw new AppError(
        'rating.negative_quantity',
        `the sum so far would be ${after.toString()}: it cannot be priced`,
        {
          status: 422,
          field: 'quantity',
        },
      );
    }
    let amount = Decimal.zero;
    while (sum.compare(after) < 0) {
      let band = bands[at] as Band;
      if (band.upTo !== null && sum.compare(band.upTo) === 0) band = bands[++at] as Band;
      const top = isAbove(band, after) ? (band.upTo as Decimal) : after;
      amount = amount.add(top.subtract(sum).multiply(band.rate));
      if (!band.entered) {
        band.entered = true;
        amount = amount.add(band.flat);
      }
      sum = top;
    }
    while (sum.compare(after) > 0) {
      let band = bands[at] as Band;
      if (sum.compare(band.from) === 0) band = bands[--at] as Band;
      const bottom = after.compare(band.from) < 0 ? band.from : after;
      amount = amount.subtract(sum.subtract(bottom).multiply(band.rate));
      sum = bottom;
    }
    return amount;
  };
}
