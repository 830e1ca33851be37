/**
 * The four protobuf wire forms that OTLP uses, as small byte pieces that are joined once.
 *
 * *Source* https://protobuf.dev/programming-guides/encoding/
 */
const encoder = new TextEncoder();

export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export function join(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}

/** A length-delimited field: message, text or bytes. */
export function message(field: number, ...pieces: readonly Uint8Array[]): Uint8Array {
  const body = join(pieces);
  return join([varint(field * 8 + 2), varint(body.length), body]);
}

export function text(field: number, value: string): Uint8Array {
  return message(field, encoder.encode(value));
}

export function integer(field: number, value: number): Uint8Array {
  return join([varint(field * 8), varint(value)]);
}

/** A `fixed64` field holding nanoseconds of an instant in milliseconds. */
export function nanoseconds(field: number, timeMs: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.round(timeMs * 1000)) * 1000n, true);
  return join([varint(field * 8 + 1), bytes]);
}

/** `KeyValue` in `field`: text, whole number or boolean. */
export function keyValue(field: number, name: string, value: string | number | boolean): Uint8Array {
  const any =
    typeof value === 'string'
      ? text(1, value)
      : typeof value === 'boolean'
        ? integer(2, value ? 1 : 0)
        : integer(3, value);
  return message(field, text(1, name), message(2, any));
}
