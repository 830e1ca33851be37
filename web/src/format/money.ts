import { locale, missing } from './locale.ts';

/** Writes an amount of money with its currency and two decimals; the digits come from the string, never from a float. */
export function formatMoney(amount: string | null, currency: string, language: string = locale): string {
  if (amount === null) return missing;
  return new Intl.NumberFormat(language, { style: 'currency', currency }).format(amount as Intl.StringNumericLiteral);
}

/** Writes a price a unit with as many decimals as it has, at least two: `0.0061` stays `$0.0061`. */
export function formatUnitPrice(price: string, currency: string, language: string = locale): string {
  return new Intl.NumberFormat(language, { style: 'currency', currency, maximumFractionDigits: 12 }).format(
    price as Intl.StringNumericLiteral,
  );
}
