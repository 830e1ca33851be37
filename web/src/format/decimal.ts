import { missing } from './locale.ts';

interface Scaled {
  readonly digits: bigint;
  readonly scale: number;
}

function parseDecimal(text: string): Scaled {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) throw new RangeError(`not a decimal: ${text}`);
  const [, sign = '', whole = '0', fraction = ''] = match;
  return { digits: BigInt(`${sign}${whole}${fraction}`), scale: fraction.length };
}

function align(left: string, right: string): { a: bigint; b: bigint; scale: number } {
  const [a, b] = [parseDecimal(left), parseDecimal(right)];
  const scale = Math.max(a.scale, b.scale);
  return { a: a.digits * 10n ** BigInt(scale - a.scale), b: b.digits * 10n ** BigInt(scale - b.scale), scale };
}

function toText(digits: bigint, scale: number): string {
  const sign = digits < 0n ? '-' : '';
  const padded = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const whole = padded.slice(0, padded.length - scale);
  const fraction = scale === 0 ? '' : `.${padded.slice(padded.length - scale)}`;
  return `${sign}${whole}${fraction}`;
}

/** Adds two decimals exactly, without a float in between. */
export function addDecimals(left: string, right: string): string {
  const { a, b, scale } = align(left, right);
  return toText(a + b, scale);
}

/** Orders two decimals exactly: negative, zero or positive as `Array.sort` wants it. */
export function compareDecimals(left: string, right: string): number {
  const { a, b } = align(left, right);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Divides exactly and rounds once to `places` decimals: up, or to the nearest with ties to the even digit. *Errors* `RangeError` for a divisor of 0. */
export function divideDecimals(left: string, right: string, places: number, rounding: 'up' | 'half-even'): string {
  const { a, b } = align(left, right);
  if (b === 0n) throw new RangeError('division by zero');
  const negative = a < 0n !== b < 0n;
  const dividend = (a < 0n ? -a : a) * 10n ** BigInt(places);
  const divisor = b < 0n ? -b : b;
  const whole = dividend / divisor;
  const twice = (dividend % divisor) * 2n;
  const away =
    rounding === 'up' ? twice > 0n && !negative : twice > divisor || (twice === divisor && whole % 2n === 1n);
  const digits = away ? whole + 1n : whole;
  return toText(negative ? -digits : digits, places);
}

/** Drops zeros at the end of the fraction: `12.500` becomes `12.5`. */
export function trimDecimal(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function group(whole: string): string {
  return whole.replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Writes a quantity with digit groups and at most `places` decimals, cut not rounded and marked with `…` when digits are left out; a small one keeps its first two digits that are not zero. */
export function formatQuantity(text: string | null, places = 3): string {
  if (text === null) return missing;
  const trimmed = trimDecimal(text);
  const [whole = '0', fraction = ''] = trimmed.replace('-', '').split('.');
  const sign = trimmed.startsWith('-') ? '−' : '';
  const zeros = whole === '0' ? fraction.search(/[1-9]/) : 0;
  const shown = fraction.slice(0, zeros >= places ? zeros + 2 : places);
  return `${sign}${group(whole)}${shown === '' ? '' : `.${shown}`}${fraction.length > shown.length ? '…' : ''}`;
}
