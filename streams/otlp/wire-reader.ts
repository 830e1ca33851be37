import { AppError } from '../contract/index.ts';

/** How deep values may nest inside values. *Source* protobuf parsers stop at 100; telemetry never comes near. */
export const maxDepth = 32;

/** The refusal of bytes that are not the message they claim to be. */
export function malformed(reason: string, offset: number): AppError {
  return new AppError('otlp.malformed', `malformed OTLP protobuf at byte ${offset}: ${reason}`, {
    status: 400,
    context: { offset },
  });
}

const fatalUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A cursor over protobuf wire bytes. Every read takes the `end` of the message it stands in and never passes it.
 *
 * *Shape* a message is a row of `tag value`; tag = field << 3 | wire type; wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. Groups (3, 4) are refused.
 * 64-bit integers are left in `low` and `high` (signed 32-bit halves), because a bigint a field would cost more than the rest of the decoding.
 * *Errors* `otlp.malformed` with the byte offset. *Source* protobuf.dev/programming-guides/encoding.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #text: Buffer;
  pos = 0;
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Reads a tag. Field 0 and group wire types are refused. */
  tag(end: number): number {
    const at = this.pos;
    const tag = this.varint32(end);
    if (tag < 8 || this.high !== 0) throw malformed('invalid field number', at);
    return tag;
  }

  /** Reads a varint and gives its low 32 bits, unsigned; `high` has the rest. */
  varint32(end: number): number {
    const pos = this.pos;
    if (pos < end) {
      const byte = this.view.getUint8(pos);
      if (byte < 0x80) {
        this.pos = pos + 1;
        this.low = byte;
        this.high = 0;
        return byte;
      }
    }
    this.varint64(end);
    return this.low >>> 0;
  }

  /** Reads a varint of up to ten bytes into `low` and `high`. */
  varint64(end: number): void {
    const start = this.pos;
    let pos = start;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (pos >= end) throw malformed('truncated varint', start);
      const byte = this.view.getUint8(pos++);
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.pos = pos;
        this.low = low | 0;
        this.high = high | 0;
        return;
      }
    }
    throw malformed('varint longer than ten bytes', start);
  }

  /** Reads a length and gives the offset where the value ends. */
  limit(end: number): number {
    const at = this.pos;
    const length = this.varint32(end);
    const limit = this.pos + length;
    if (this.high !== 0 || limit > end) throw malformed('length beyond the enclosing message', at);
    return limit;
  }

  /** Reads eight bytes into `low` and `high`. */
  fixed64(end: number): void {
    const pos = this.pos;
    if (pos + 8 > end) throw malformed('truncated 64-bit value', pos);
    this.low = this.view.getInt32(pos, true);
    this.high = this.view.getInt32(pos + 4, true);
    this.pos = pos + 8;
  }

  fixed32(end: number): number {
    const pos = this.pos;
    if (pos + 4 > end) throw malformed('truncated 32-bit value', pos);
    this.pos = pos + 4;
    return this.view.getUint32(pos, true);
  }

  double(end: number): number {
    const pos = this.pos;
    if (pos + 8 > end) throw malformed('truncated double', pos);
    this.pos = pos + 8;
    return this.view.getFloat64(pos, true);
  }

  sint32(end: number): number {
    const raw = this.varint32(end);
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** Passes over the value of `tag`. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case 0:
        this.varint32(end);
        return;
      case 1:
        if (this.pos + 8 > end) throw malformed('truncated 64-bit value', this.pos);
        this.pos += 8;
        return;
      case 2:
        this.pos = this.limit(end);
        return;
      case 5:
        if (this.pos + 4 > end) throw malformed('truncated 32-bit value', this.pos);
        this.pos += 4;
        return;
      default:
        throw malformed(`wire type ${tag & 7} is not accepted`, this.pos);
    }
  }

  /** `low` and `high` as nanoseconds since the epoch, cut to whole milliseconds exactly. */
  millis(): number {
    // 2^32 ns = 4294 ms + 967296 ns, so that no intermediate passes 2^53.
    const high = this.high >>> 0;
    return high * 4294 + Math.floor((high * 967296 + (this.low >>> 0)) / 1e6);
  }

  /** `low` and `high` as an unsigned integer. */
  unsigned(): bigint {
    return this.high === 0 ? BigInt(this.low >>> 0) : (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }

  /** `low` and `high` as a signed integer, rounded to the nearest double; see {@link isExact}. */
  signedNumber(): number {
    return this.high * 4294967296 + (this.low >>> 0);
  }

  /** Whether the signed integer in `low` and `high` lies within ±2^53, where every integer has its own double. */
  isExact(): boolean {
    const { high, low } = this;
    return (high >= -0x200000 && high < 0x200000) || (high === 0x200000 && low === 0);
  }

  /** Decimal digits of the signed integer in `low` and `high`. */
  signedText(): string {
    if (this.isExact()) return String(this.signedNumber());
    return String((BigInt(this.high) << 32n) | BigInt(this.low >>> 0));
  }

  /** Whether the `length` bytes at `a` and at `b` are the same. */
  isSame(a: number, b: number, length: number): boolean {
    const { view } = this;
    let at = 0;
    // What differs usually differs near its end: names come first, and numbers count up.
    if (length >= 4 && view.getInt32(a + length - 4, true) !== view.getInt32(b + length - 4, true)) return false;
    for (; at + 4 <= length; at += 4) if (view.getInt32(a + at, true) !== view.getInt32(b + at, true)) return false;
    for (; at < length; at++) if (view.getUint8(a + at) !== view.getUint8(b + at)) return false;
    return true;
  }

  /** True when no byte of the range has its top bit set. */
  isAscii(start: number, end: number): boolean {
    const { view } = this;
    let pos = start;
    for (; pos + 4 <= end; pos += 4) if ((view.getInt32(pos, true) & 0x80808080) !== 0) return false;
    for (; pos < end; pos++) if (view.getUint8(pos) >= 0x80) return false;
    return true;
  }

  /** Decodes a range as UTF-8; invalid UTF-8 is malformed. */
  text(start: number, end: number): string {
    if (this.isAscii(start, end)) return this.#text.toString('latin1', start, end);
    try {
      return fatalUtf8.decode(this.bytes.subarray(start, end));
    } catch (cause) {
      throw malformed(`invalid UTF-8 (${(cause as Error).name})`, start);
    }
  }

  /** Refuses a range that is not valid UTF-8, without making a string of plain ASCII. */
  requireUtf8(start: number, end: number): void {
    if (!this.isAscii(start, end)) this.text(start, end);
  }

  /** A view (not a copy) of a range. */
  slice(start: number, end: number): Uint8Array {
    return this.bytes.subarray(start, end);
  }
}
