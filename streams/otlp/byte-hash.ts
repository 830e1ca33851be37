/**
 * A seedable 128-bit hash of bytes for tables in this process: four 32-bit lanes, sixteen bytes a round.
 *
 * *Bias* not collision resistant against somebody who chooses the bytes; whatever is keyed by it is keyed by tenant too, and what is stored rests on SHA-256.
 * *Source* the construction of MurmurHash3 x86_128 (Austin Appleby, public domain).
 */
export class ByteHash {
  h1 = 0;
  h2 = 0;
  h3 = 0;
  h4 = 0;

  seed(h1: number, h2: number, h3: number, h4: number): void {
    this.h1 = h1;
    this.h2 = h2;
    this.h3 = h3;
    this.h4 = h4;
  }

  /** Goes on from where another one stands. */
  copy(from: ByteHash): void {
    this.h1 = from.h1;
    this.h2 = from.h2;
    this.h3 = from.h3;
    this.h4 = from.h4;
  }

  /** Mixes a small number in, such as a kind or a tenant. */
  number(value: number): void {
    this.h1 = mix(this.h1 ^ value);
    this.h2 = mix(this.h2 + this.h1);
    this.h3 = mix(this.h3 ^ this.h2);
    this.h4 = mix(this.h4 + this.h3);
  }

  /** Mixes a range in, its length included, so that consecutive ranges cannot be confused. */
  range(view: DataView, start: number, end: number): void {
    let { h1, h2, h3, h4 } = this;
    let pos = start;
    for (; pos + 16 <= end; pos += 16) {
      h1 ^= Math.imul(rotate(Math.imul(view.getInt32(pos, true), 0x239b961b), 15), 0xab0e9789);
      h1 = (Math.imul(rotate(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
      h2 ^= Math.imul(rotate(Math.imul(view.getInt32(pos + 4, true), 0xab0e9789), 16), 0x38b34ae5);
      h2 = (Math.imul(rotate(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
      h3 ^= Math.imul(rotate(Math.imul(view.getInt32(pos + 8, true), 0x38b34ae5), 17), 0xa1e38b93);
      h3 = (Math.imul(rotate(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
      h4 ^= Math.imul(rotate(Math.imul(view.getInt32(pos + 12, true), 0xa1e38b93), 18), 0x239b961b);
      h4 = (Math.imul(rotate(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
    }
    for (; pos + 4 <= end; pos += 4) {
      const word = Math.imul(rotate(Math.imul(view.getInt32(pos, true), 0x239b961b), 15), 0xab0e9789);
      const mixed = (Math.imul(rotate(h1 ^ word, 19) + h2, 5) + 0x561ccd1b) | 0;
      h1 = h2;
      h2 = h3;
      h3 = h4;
      h4 = mixed;
    }
    let rest = 0;
    for (; pos < end; pos++) rest = (rest << 8) | view.getUint8(pos);
    const length = end - start;
    h1 ^= Math.imul(rest, 0x239b961b) ^ length;
    h2 ^= length;
    h3 ^= Math.imul(rest, 0x38b34ae5) ^ length;
    h4 ^= length;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = mix((h2 + h1) | 0);
    h3 = mix((h3 + h1) | 0);
    h4 = mix((h4 + h1) | 0);
    h1 = mix(h1);
    h1 = (h1 + h2 + h3 + h4) | 0;
    this.h1 = h1;
    this.h2 = (h2 + h1) | 0;
    this.h3 = (h3 + h1) | 0;
    this.h4 = (h4 + h1) | 0;
  }
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
