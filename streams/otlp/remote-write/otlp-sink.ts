const hexId = /^[0-9a-f]+$/i;

/**
 * Writes protobuf bytes by plain numbers, for the door's hot path. A nested message is opened, written in place and closed.
 *
 * *Shape* tags are given whole (`field << 3 | wire type`, below 128: one byte).
 */
export class OtlpSink {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;
  #timeMs = -1;
  #timeNs = 0n;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A tag and an unsigned number within 2^53. */
  varint(tag: number, value: number): void {
    this.byte(tag);
    this.bareVarint(value);
  }

  bareVarint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A tag and a 32-bit integer in zigzag form. */
  sint32(tag: number, value: number): void {
    this.varint(tag, ((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** A tag and an unsigned number within 2^53 in eight bytes. */
  fixed64(tag: number, value: number): void {
    this.byte(tag);
    this.bareFixed64(value);
  }

  bareFixed64(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeUInt32LE(value % 4294967296, this.#length);
    this.#length = this.#bytes.writeUInt32LE(Math.floor(value / 4294967296), this.#length);
  }

  /** A tag and milliseconds since the epoch as nanoseconds. Most points of a request share theirs. */
  time(tag: number, ms: number): void {
    if (ms !== this.#timeMs) {
      this.#timeMs = ms;
      this.#timeNs = BigInt(ms) * 1_000_000n;
    }
    this.byte(tag);
    this.#reserve(8);
    this.#length = this.#bytes.writeBigUInt64LE(this.#timeNs, this.#length);
  }

  double(tag: number, value: number): void {
    this.byte(tag);
    this.bareDouble(value);
  }

  bareDouble(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  string(tag: number, text: string): void {
    const at = this.open(tag);
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
    this.close(at);
  }

  /** A tag and the bytes of a hexadecimal id, if `text` is one of that many bytes; else writes nothing and gives false. */
  id(tag: number, text: string, bytes: number): boolean {
    if (text.length !== bytes * 2 || !hexId.test(text)) return false;
    this.varint(tag, bytes);
    this.#reserve(bytes);
    this.#length += this.#bytes.write(text, this.#length, 'hex');
    return true;
  }

  /** Begins a nested message; {@link close} wants what this gives. */
  open(tag: number): number {
    this.byte(tag);
    this.byte(0);
    return this.#length;
  }

  close(start: number): void {
    const length = this.#length - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    const more = length < 0x4000 ? 1 : length < 0x200000 ? 2 : length < 0x10000000 ? 3 : 4;
    this.#reserve(more);
    this.#bytes.copyWithin(start + more, start, this.#length);
    this.#length = start - 1;
    this.bareVarint(length);
    this.#length = start + more + length;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#length));
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
