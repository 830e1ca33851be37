/** A whole number as JSON can write it. */
const wholeNumber = /^-?\d{1,20}(\.0+)?$/;

/** A member whose number is long or has a fraction: the only ones whose digits reading can lose. Cheap, errs on the side of looking closer. */
const suspicious = /:\s*-?(?:\d{16}|\d+[.eE])/;

type Reviver = (this: object, key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * Reads JSON again and empties the `value` of an event, or of its data, whose digits a JavaScript number cannot hold: what is checked afterwards refuses it instead of taking another number.
 *
 * *Shape* `body` is what `text` was parsed to; answered as it is when no number can have lost a digit. Values further inside are attributes and stay.
 */
export function withoutInexactValues(text: string, body: unknown): unknown {
  if (!suspicious.test(text)) return body;
  const inexact = new WeakSet<object>();
  const look: Reviver = function (key, value, { source }) {
    if (key !== 'value' || typeof value !== 'number' || source === undefined) return value;
    const isExact = wholeNumber.test(source) && BigInt(source.split('.', 1)[0] ?? '') === BigInt(value);
    if (!isExact) inexact.add(this);
    return value;
  };
  const read: unknown = JSON.parse(text, look as Parameters<typeof JSON.parse>[1]);
  for (const event of [read].flat()) {
    for (const holder of [event, (event as { data?: unknown } | null)?.data]) {
      if (typeof holder === 'object' && holder !== null && inexact.has(holder)) Object.assign(holder, { value: null });
    }
  }
  return read;
}
