import { AppError, invariant } from './errors.ts';

/**
 * How a division that does not end is cut off. `half-up` and `up` move away from zero, `down` towards it; `ceil` moves towards positive infinity.
 */
export type Rounding = 'half-even' | 'half-up' | 'up' | 'ceil' | 'down';

const decimalPattern = /^(-)?(\d+)(?:\.(\d+))?$/;
/** Bound of a parsed literal: well above `Decimal(38, 12)`, far below what could keep a thread busy. */
const digitsMax = 400;

const powerOfTen = (exponent: number): bigint => 10n ** BigInt(exponent);

/** Quotient of two integers under a stated rounding. `divisor` must be positive. */
function divideRounded(dividend: bigint, divisor: bigint, rounding: Rounding): bigint {
  const quotient = dividend / divisor;
  const remainder = dividend % divisor;
  if (remainder === 0n) return quotient;
  const sign = dividend < 0n ? -1n : 1n;
  const twice = remainder * sign * 2n;
  const away =
    rounding === 'up' ||
    (rounding === 'ceil' && sign > 0n) ||
    (rounding === 'half-up' && twice >= divisor) ||
    (rounding === 'half-even' && (twice > divisor || (twice === divisor && quotient % 2n !== 0n)));
  return away ? quotient + sign : quotient;
}

/**
 * An exact decimal number: an integer and a scale, immutable, a string on every wire.
 *
 * *Shape* value = unscaled / 10^scale; trailing zeros of the fraction are dropped, so equal values are equal in both fields and in text.
 * *Errors* `decimal.invalid` (not retryable) from `parse`.
 */
export class Decimal {
  readonly unscaled: bigint;
  readonly scale: number;

  private constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled;
    this.scale = scale;
  }

  /** Makes unscaled / 10^scale. *Errors* a scale that is not a whole number ≥ 0 is a programmer error. */
  static of(unscaled: bigint, scale = 0): Decimal {
    invariant(Number.isInteger(scale) && scale >= 0, 'a scale is a whole number from 0');
    let digits = unscaled;
    let places = scale;
    while (places > 0 && digits % 10n === 0n) {
      digits /= 10n;
      places -= 1;
    }
    return new Decimal(digits, places);
  }

  /** Reads `-12.50`: digits, optional fraction, optional minus; no exponent, no plus, no spaces. `field` names the input in the error. */
  static parse(text: string, field?: string): Decimal {
    const match = text.length <= digitsMax ? decimalPattern.exec(text) : null;
    if (match === null) {
      const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
      throw new AppError('decimal.invalid', `"${shown}" is not a decimal number such as -12.50`, {
        status: 400,
        field,
      });
    }
    const [, minus, whole = '', fraction = ''] = match;
    const magnitude = BigInt(whole + fraction);
    return Decimal.of(minus === undefined ? magnitude : -magnitude, fraction.length);
  }

  static readonly zero: Decimal = new Decimal(0n, 0);
  static readonly one: Decimal = new Decimal(1n, 0);

  /** Exact sum of any number of values, 0 for none. */
  static sum(values: Iterable<Decimal>): Decimal {
    let total = Decimal.zero;
    for (const value of values) total = total.add(value);
    return total;
  }

  static min(a: Decimal, b: Decimal): Decimal {
    return a.compare(b) <= 0 ? a : b;
  }

  static max(a: Decimal, b: Decimal): Decimal {
    return a.compare(b) >= 0 ? a : b;
  }

  add(other: Decimal): Decimal {
    const scale = Math.max(this.scale, other.scale);
    return Decimal.of(this.#at(scale) + other.#at(scale), scale);
  }

  subtract(other: Decimal): Decimal {
    return this.add(other.negate());
  }

  multiply(other: Decimal): Decimal {
    return Decimal.of(this.unscaled * other.unscaled, this.scale + other.scale);
  }

  negate(): Decimal {
    return new Decimal(-this.unscaled, this.scale);
  }

  /** Quotient cut off at `scale` digits after the point. *Errors* `decimal.division_by_zero`. */
  divide(divisor: Decimal, options: { readonly scale: number; readonly rounding: Rounding }): Decimal {
    if (divisor.unscaled === 0n) throw new AppError('decimal.division_by_zero', 'a decimal was divided by zero');
    const shift = options.scale + divisor.scale - this.scale;
    let dividend = shift >= 0 ? this.unscaled * powerOfTen(shift) : this.unscaled;
    let by = shift >= 0 ? divisor.unscaled : divisor.unscaled * powerOfTen(-shift);
    if (by < 0n) {
      dividend = -dividend;
      by = -by;
    }
    return Decimal.of(divideRounded(dividend, by, options.rounding), options.scale);
  }

  /** Same value with at most `scale` digits after the point. */
  round(scale: number, rounding: Rounding): Decimal {
    if (scale >= this.scale) return this;
    return Decimal.of(divideRounded(this.unscaled, powerOfTen(this.scale - scale), rounding), scale);
  }

  /** −1, 0 or 1. */
  compare(other: Decimal): -1 | 0 | 1 {
    const scale = Math.max(this.scale, other.scale);
    const difference = this.#at(scale) - other.#at(scale);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }

  equals(other: Decimal): boolean {
    return this.unscaled === other.unscaled && this.scale === other.scale;
  }

  isZero(): boolean {
    return this.unscaled === 0n;
  }

  isNegative(): boolean {
    return this.unscaled < 0n;
  }

  /** Canonical text: no trailing zeros, no `-0`; `parse` gives the same value back. */
  toString(): string {
    return this.toFixed(this.scale);
  }

  /** Text with exactly `digits` after the point. *Errors* a value that has more is a programmer error: round first. */
  toFixed(digits: number): string {
    invariant(digits >= this.scale, 'toFixed never rounds');
    const negative = this.unscaled < 0n;
    const magnitude = this.#at(digits) * (negative ? -1n : 1n);
    const text = magnitude.toString().padStart(digits + 1, '0');
    const split = text.length - digits;
    const sign = negative ? '-' : '';
    return digits === 0 ? `${sign}${text}` : `${sign}${text.slice(0, split)}.${text.slice(split)}`;
  }

  toJSON(): string {
    return this.toString();
  }

  #at(scale: number): bigint {
    return this.unscaled * powerOfTen(scale - this.scale);
  }
}
