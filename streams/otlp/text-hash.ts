/**
 * A seeded 64-bit hash of a byte range that tells on the way whether the range is ASCII: two lanes, four bytes a round.
 *
 * *Bias* for counting in this process only; like {@link ByteHash} not collision resistant against somebody who chooses the bytes.
 */
export class TextHash {
  readonly #seedA: number;
  readonly #seedB: number;
  a = 0;
  b = 0;
  /** Whether no byte since {@link start} had its top bit set. */
  isAscii = true;

  constructor(seedA: number, seedB: number) {
    this.#seedA = seedA;
    this.#seedB = seedB;
  }

  start(): void {
    this.a = this.#seedA;
    this.b = this.#seedB;
    this.isAscii = true;
  }

  /** Mixes a range in, its length included, so that consecutive ranges cannot be confused. */
  range(view: DataView, start: number, end: number): void {
    let { a, b } = this;
    let seen = 0;
    let pos = start;
    for (; pos + 4 <= end; pos += 4) {
      const word = view.getInt32(pos, true);
      seen |= word;
      a = Math.imul(a ^ word, 0x9e3779b1);
      a ^= a >>> 15;
      b = Math.imul(((b << 13) | (b >>> 19)) + word, 0x85ebca77);
    }
    let rest = end - start;
    for (; pos < end; pos++) {
      const byte = view.getUint8(pos);
      seen |= byte;
      rest = Math.imul(rest ^ byte, 0x01000193);
    }
    a = Math.imul(a ^ rest, 0xc2b2ae3d);
    this.a = a ^ (a >>> 13);
    this.b = Math.imul(((b << 11) | (b >>> 21)) + rest, 0x27d4eb2f);
    if ((seen & 0x80808080) !== 0) this.isAscii = false;
  }

  /** Mixes a small number in. */
  number(value: number): void {
    this.a = Math.imul(this.a ^ value, 0x9e3779b1);
    this.b = Math.imul(((this.b << 13) | (this.b >>> 19)) + value, 0x85ebca77);
  }
}

/** Spreads every bit over all others. *Source* the finaliser of MurmurHash3 (Austin Appleby, public domain). */
export function avalanche(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
