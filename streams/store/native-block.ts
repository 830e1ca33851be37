import { AppError, invariant } from '../contract/index.ts';
import type { Block, Column } from './port.ts';

/*
 * ClickHouse Native format, as read from a file (no block info, client revision 0):
 *
 *   block   = varuint(columns) varuint(rows) column*
 *   column  = string(name) string(type) data
 *   string  = varuint(length) bytes
 *   data    = by type, rows values one after the other, little-endian:
 *     UInt8 Bool Int8          1 byte each            UInt16 UInt32 Int32 Float32   2 or 4 bytes
 *     UInt64 Int64 Float64     8 bytes                DateTime                      UInt32 seconds
 *     DateTime64(n)            Int64 ticks            Decimal(38, s)                Int128 value × 10^s
 *     String                   string*                FixedString(n)                n bytes each
 *     Array(T)                 UInt64 end offset a row, then the data of T for all elements
 *     Map(String, String)      UInt64 end offset a row, then all keys, then all values
 */

/** Bytes that grow: the sink of every variable-length column. */
class ByteSink {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(Math.max(64, capacity));
  }

  reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + size));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  varuint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  text(value: string): void {
    const size = value.length;
    if (size < 48) {
      // Short strings are mostly ASCII attribute names and values: a loop beats the call into the encoder.
      this.reserve(size + 1);
      const start = this.length;
      const bytes = this.bytes;
      bytes[start] = size;
      let at = 0;
      for (; at < size; at++) {
        const code = value.charCodeAt(at);
        if (code > 0x7f) break;
        bytes[start + 1 + at] = code;
      }
      if (at === size) {
        this.length = start + 1 + size;
        return;
      }
    }
    const byteLength = Buffer.byteLength(value);
    this.varuint(byteLength);
    this.reserve(byteLength);
    this.length += this.bytes.write(value, this.length, 'utf8');
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  taken(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

type TypedArrayKind = new (length: number) => ArrayBufferView<ArrayBuffer> & { [index: number]: number };

/** Types whose values are one machine number each, and the array that holds them as the engine wants them. */
const numberKinds: Readonly<Record<string, TypedArrayKind>> = {
  UInt8: Uint8Array,
  Bool: Uint8Array,
  UInt16: Uint16Array,
  UInt32: Uint32Array,
  DateTime: Uint32Array,
  Int8: Int8Array,
  Int32: Int32Array,
  Float32: Float32Array,
  Float64: Float64Array,
};

const bytesOf = (view: ArrayBufferView, length: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, length);

function invalid(name: string, type: string, value: unknown): never {
  throw new AppError('store.value_invalid', `column ${name} of type ${type} cannot hold ${String(value)}`, {
    field: name,
  });
}

function encodeNumbers(column: Column, type: string, kind: TypedArrayKind, rows: number): Uint8Array {
  const values = column.values;
  if (values instanceof kind) return bytesOf(values, rows * new kind(1).byteLength);
  const out = new kind(rows);
  for (let row = 0; row < rows; row++) {
    const value = values[row];
    if (typeof value === 'number') out[row] = value;
    else if (typeof value === 'boolean') out[row] = value ? 1 : 0;
    else invalid(column.name, type, value);
  }
  return bytesOf(out, out.byteLength);
}

/** 64-bit integers and ticks: from 64-bit vectors by copy, from doubles (exact up to 2^53) by halves, from bigints or digit strings one by one. */
function encodeWords(column: Column, type: string, rows: number): Uint8Array {
  const values = column.values;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) return bytesOf(values, rows * 8);
  const words = new Uint32Array(rows * 2);
  if (values instanceof Float64Array) {
    for (let row = 0; row < rows; row++) {
      const value = values[row] ?? 0;
      words[row * 2] = value;
      words[row * 2 + 1] = Math.floor(value / 4_294_967_296);
    }
    return bytesOf(words, words.byteLength);
  }
  const big = new BigInt64Array(words.buffer);
  for (let row = 0; row < rows; row++) {
    const value = values[row];
    if (typeof value === 'bigint') big[row] = value;
    else if (typeof value === 'number' && Number.isSafeInteger(value)) big[row] = BigInt(value);
    else if (typeof value === 'string' && /^-?\d+$/.test(value)) big[row] = BigInt(value);
    else invalid(column.name, type, value);
  }
  return bytesOf(words, words.byteLength);
}

/** The integer `value × 10^scale` of a decimal string. *Errors* `store.value_invalid` when it has more fraction digits than the scale. */
export function scaledDecimal(value: string, scale: number): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(value);
  if (!match) invalid('', `Decimal(38, ${scale})`, value);
  const [, sign = '', whole = '', fraction = ''] = match;
  if (fraction.length > scale) invalid('', `Decimal(38, ${scale})`, value);
  const digits = BigInt(whole + fraction.padEnd(scale, '0'));
  return sign === '-' ? -digits : digits;
}

function encodeDecimals(column: Column, type: string, scale: number, rows: number): Uint8Array {
  const words = new BigInt64Array(rows * 2);
  for (let row = 0; row < rows; row++) {
    const value = column.values[row];
    const scaled =
      typeof value === 'bigint'
        ? value
        : typeof value === 'string'
          ? scaledDecimal(value, scale)
          : invalid(column.name, type, value);
    words[row * 2] = BigInt.asIntN(64, scaled);
    words[row * 2 + 1] = BigInt.asIntN(64, scaled >> 64n);
  }
  return bytesOf(words, words.byteLength);
}

function encodeStrings(column: Column, type: string, rows: number): Uint8Array {
  const sink = new ByteSink(rows * 16);
  for (let row = 0; row < rows; row++) {
    const value = column.values[row];
    if (typeof value === 'string') sink.text(value);
    else if (value instanceof Uint8Array) {
      sink.varuint(value.length);
      sink.raw(value);
    } else invalid(column.name, type, value);
  }
  return sink.taken();
}

function encodeFixedStrings(column: Column, type: string, size: number, rows: number): Uint8Array {
  const out = Buffer.alloc(rows * size);
  for (let row = 0; row < rows; row++) {
    const value = column.values[row];
    if (!(value instanceof Uint8Array) || value.length > size) invalid(column.name, type, value);
    out.set(value, row * size);
  }
  return out;
}

function encodeArrays(column: Column, type: string, inner: string, rows: number): Uint8Array[] {
  const ends = new Float64Array(rows);
  const flat: unknown[] = [];
  for (let row = 0; row < rows; row++) {
    const value = column.values[row] as ArrayLike<unknown> | undefined;
    if (value === undefined || value === null || typeof value === 'string') invalid(column.name, type, value);
    for (let at = 0; at < value.length; at++) flat.push(value[at]);
    ends[row] = flat.length;
  }
  const nested = { name: column.name, type: inner, values: flat };
  return [encodeWords({ ...nested, values: ends }, 'UInt64', rows), ...encodeData(nested, inner, flat.length)];
}

function encodeMaps(column: Column, type: string, rows: number): Uint8Array[] {
  const ends = new Float64Array(rows);
  const keys = new ByteSink(rows * 32);
  const values = new ByteSink(rows * 32);
  let total = 0;
  let previous: unknown;
  let span = { size: 0, keysFrom: 0, keysTo: 0, valuesFrom: 0, valuesTo: 0 };
  for (let row = 0; row < rows; row++) {
    const map = column.values[row];
    if (!(map instanceof Map)) invalid(column.name, type, map);
    if (map === previous) {
      // Rows of one resource share the map object: its bytes are there already.
      keys.reserve(span.keysTo - span.keysFrom);
      keys.raw(keys.bytes.subarray(span.keysFrom, span.keysTo));
      values.reserve(span.valuesTo - span.valuesFrom);
      values.raw(values.bytes.subarray(span.valuesFrom, span.valuesTo));
    } else {
      const keysFrom = keys.length;
      const valuesFrom = values.length;
      for (const [key, value] of map as Map<string, string>) {
        keys.text(key);
        values.text(value);
      }
      span = { size: map.size, keysFrom, keysTo: keys.length, valuesFrom, valuesTo: values.length };
      previous = map;
    }
    total += span.size;
    ends[row] = total;
  }
  const offsets = encodeWords({ name: column.name, type: 'UInt64', values: ends }, 'UInt64', rows);
  return [offsets, keys.taken(), values.taken()];
}

function encodeData(column: Column, type: string, rows: number): Uint8Array[] {
  const base = /^DateTime\(/.test(type) ? 'DateTime' : type;
  const kind = numberKinds[base];
  if (kind !== undefined) return [encodeNumbers(column, type, kind, rows)];
  if (type === 'UInt64' || type === 'Int64' || type.startsWith('DateTime64(')) {
    return [encodeWords(column, type, rows)];
  }
  if (type === 'String') return [encodeStrings(column, type, rows)];
  const fixed = /^FixedString\((\d+)\)$/.exec(type);
  if (fixed) return [encodeFixedStrings(column, type, Number(fixed[1]), rows)];
  const decimal = /^Decimal\(38, ?(\d+)\)$/.exec(type);
  if (decimal) return [encodeDecimals(column, type, Number(decimal[1]), rows)];
  if (/^Map\(String, ?String\)$/.test(type)) return encodeMaps(column, type, rows);
  const array = /^Array\((.+)\)$/.exec(type);
  if (array?.[1] !== undefined) return encodeArrays(column, type, array[1], rows);
  throw new AppError('store.type_unsupported', `column ${column.name}: blocks cannot carry ${type}`, {
    field: column.name,
  });
}

/**
 * Encodes a block in ClickHouse's Native format.
 *
 * *Shape* chunks to be written one after the other; a numeric vector of the right kind is not copied, so it must not change until the chunks are written.
 * *Errors* `store.value_invalid`, `store.type_unsupported` naming the column.
 * *Source* ClickHouse documentation, Native format.
 */
export function encodeNativeBlock(block: Block): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const head = new ByteSink(16);
  head.varuint(block.columns.length);
  head.varuint(block.rows);
  chunks.push(head.taken());
  for (const column of block.columns) {
    invariant(column.values.length >= block.rows, `column ${column.name} of ${block.table} is shorter than its block`);
    const title = new ByteSink(64);
    title.text(column.name);
    title.text(column.type);
    chunks.push(title.taken(), ...encodeData(column, column.type, block.rows));
  }
  return chunks;
}
