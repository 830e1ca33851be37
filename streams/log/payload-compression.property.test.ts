import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packPayload, unpackPayload } from './payload-compression.ts';

describe('a packed payload', () => {
  test('gives back exactly the bytes that were packed, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), fc.integer({ min: 1, max: 50 }), (piece, repeats) => {
        const payload = Buffer.concat(Array.from({ length: repeats }, () => piece));
        const packed = packPayload(payload);
        expect(packed.bytes.length).toBeLessThanOrEqual(payload.length);
        expect(Buffer.compare(Buffer.from(unpackPayload(packed, 1 << 20)), payload)).toBe(0);
      }),
    );
  });

  test('that would grow beyond the bound is refused', () => {
    const bomb = packPayload(Buffer.alloc(8 << 20));
    expect(bomb.compressed).toBe(true);
    expect(() => unpackPayload(bomb, 4 << 20)).toThrow();
  });
});
