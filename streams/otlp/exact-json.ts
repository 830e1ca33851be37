/** A literal of so many digits, or with an exponent, may be a whole number beyond 2^53. Times and ids stand in quotes and are none; a text that looks like one costs only time. */
const longNumber = /[[:,]\s*-?(?:\d{16}|\d+(?:\.\d+)?[eE])/;

/** The widest 64-bit integer has 20 digits; a larger power of ten is no integer that a field could hold. */
const digitsMax = 40;

/**
 * `JSON.parse` that keeps whole numbers beyond ±2⁵³ as bigint, so that an unquoted 64-bit integer loses no digit.
 *
 * *Errors* `SyntaxError`, as `JSON.parse`.
 */
export function parseExactJson(text: string): unknown {
  if (!longNumber.test(text)) return JSON.parse(text);
  return JSON.parse(text, reviveInteger as (key: string, value: unknown) => unknown);
}

function reviveInteger(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined) return value;
  return integerOf(context.source) ?? value;
}

/** The whole number that a JSON literal writes, or null when it writes none: `1e19`, `1.5e3` and `18446744073709551615` are whole. */
function integerOf(literal: string): bigint | null {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(literal) ?? [];
  const exponent = Number(power) - fraction.length;
  const digits = whole + fraction;
  if (Math.abs(exponent) > digitsMax || digits.length > 2 * digitsMax) return null;
  const scaled = exponent >= 0 ? digits + '0'.repeat(exponent) : digits.slice(0, exponent);
  if (exponent < 0 && !/^0*$/.test(digits.slice(exponent))) return null;
  return BigInt(`${sign}${scaled === '' ? '0' : scaled}`);
}
