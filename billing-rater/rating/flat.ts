import { Decimal, Money } from 'streams/contract';

/** A fee of a whole period, and the part of the period that it covers. *Units* seconds. */
export interface FlatFeeInput {
  readonly currency: string;
  readonly fee: Decimal;
  readonly coveredSeconds: number;
  readonly periodSeconds: number;
}

/** Digits of the fraction of a period that an invoice shows and that included quantities are prorated by. */
export const fractionDigits = 12;

/** Covered part of a period, 0…1, half-even to 12 digits. */
export function fractionOf(coveredSeconds: number, periodSeconds: number): Decimal {
  return Decimal.of(BigInt(coveredSeconds)).divide(Decimal.of(BigInt(periodSeconds)), {
    scale: fractionDigits,
    rounding: 'half-even',
  });
}

/**
 * A fee prorated by seconds: fee × covered ÷ period, rounded once to the minor unit.
 *
 * *Bias* the amount comes from the seconds, never from the shown fraction.
 */
export function priceFlatFee(input: FlatFeeInput): { readonly fraction: Decimal; readonly amount: Money } {
  const { currency, fee, coveredSeconds, periodSeconds } = input;
  return {
    fraction: fractionOf(coveredSeconds, periodSeconds),
    amount: new Money(currency, fee).fraction(Decimal.of(BigInt(coveredSeconds)), Decimal.of(BigInt(periodSeconds))),
  };
}
