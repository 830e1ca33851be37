import { Decimal, type Rounding } from './decimal.ts';
import { AppError, invariant } from './errors.ts';

/** Digits after the point of currencies that do not have two. *Source* ISO 4217 list one, active codes. */
const minorDigits: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  CLF: 4,
  UYW: 4,
};

/** How many digits after the point an amount of `currency` has once it is rounded. *Errors* `money.currency_invalid`. */
export function minorDigitsOf(currency: string): number {
  if (!/^[A-Z]{3}$/.test(currency)) {
    throw new AppError('money.currency_invalid', `"${currency}" is not an ISO 4217 code`, {
      status: 400,
      field: 'currency',
    });
  }
  return minorDigits[currency] ?? 2;
}

/** An invoice line is rounded once, commercially: a tie moves away from zero. */
const lineRounding: Rounding = 'half-up';

/**
 * An amount in one currency; exact until `round` is called, once a line.
 *
 * *Errors* `money.currency_mismatch` when two currencies meet.
 */
export class Money {
  readonly currency: string;
  readonly amount: Decimal;

  constructor(currency: string, amount: Decimal) {
    minorDigitsOf(currency);
    this.currency = currency;
    this.amount = amount;
  }

  static zero(currency: string): Money {
    return new Money(currency, Decimal.zero);
  }

  static sum(currency: string, values: Iterable<Money>): Money {
    let total = Money.zero(currency);
    for (const value of values) total = total.add(value);
    return total;
  }

  add(other: Money): Money {
    this.#same(other);
    return new Money(this.currency, this.amount.add(other.amount));
  }

  subtract(other: Money): Money {
    this.#same(other);
    return new Money(this.currency, this.amount.subtract(other.amount));
  }

  multiply(factor: Decimal): Money {
    return new Money(this.currency, this.amount.multiply(factor));
  }

  /** The amount in the currency's minor unit. */
  round(rounding: Rounding = lineRounding): Money {
    return new Money(this.currency, this.amount.round(minorDigitsOf(this.currency), rounding));
  }

  /** `numerator / denominator` of the amount, rounded once to the minor unit: proration without an intermediate quotient. */
  fraction(numerator: Decimal, denominator: Decimal, rounding: Rounding = lineRounding): Money {
    const scale = minorDigitsOf(this.currency);
    return new Money(this.currency, this.amount.multiply(numerator).divide(denominator, { scale, rounding }));
  }

  /**
   * Splits a rounded amount in proportion to `weights`; the parts are rounded and add up to the whole.
   *
   * *Shape* largest remainder; equal remainders favour the earlier part. *Errors* weights must be ≥ 0 with a positive sum, the amount rounded (programmer errors).
   */
  split(weights: readonly Decimal[]): Money[] {
    const digits = minorDigitsOf(this.currency);
    invariant(this.amount.scale <= digits, 'only a rounded amount is split');
    invariant(
      weights.every((weight) => !weight.isNegative()),
      'weights are not negative',
    );
    const scale = Math.max(0, ...weights.map((weight) => weight.scale));
    const shares = weights.map((weight) => weight.unscaled * 10n ** BigInt(scale - weight.scale));
    const total = shares.reduce((sum, share) => sum + share, 0n);
    invariant(total > 0n, 'weights have a positive sum');
    const sign = this.amount.isNegative() ? -1n : 1n;
    const units = this.amount.unscaled * sign * 10n ** BigInt(digits - this.amount.scale);
    const parts = shares.map((share, index) => ({
      index,
      units: (units * share) / total,
      remainder: (units * share) % total,
    }));
    let left = units - parts.reduce((sum, part) => sum + part.units, 0n);
    const byRemainder = parts.toSorted((a, b) =>
      a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1,
    );
    for (const part of byRemainder) {
      if (left === 0n) break;
      part.units += 1n;
      left -= 1n;
    }
    return parts.map((part) => new Money(this.currency, Decimal.of(part.units * sign, digits)));
  }

  /** The rounded amount with all digits of its minor unit (`249.00`); an unrounded amount keeps what it has beyond them. */
  toString(): string {
    return this.amount.toFixed(Math.max(minorDigitsOf(this.currency), this.amount.scale));
  }

  #same(other: Money): void {
    if (other.currency !== this.currency) {
      throw new AppError('money.currency_mismatch', `${this.currency} and ${other.currency} do not add up`);
    }
  }
}
