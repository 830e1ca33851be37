import { gzipSync, zstdCompressSync } from 'node:zlib';
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

  test('stands as its sender compressed it, gzip in one member or several, or zstd', () => {
    const senders = [
      (bytes: Buffer) => gzipSync(bytes),
      (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]),
      (bytes: Buffer) => zstdCompressSync(bytes),
    ];
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.integer({ min: 30, max: 5000 }),
        fc.constantFrom(...senders),
        (piece, repeats, compress) => {
          const payload = Buffer.concat(Array.from({ length: repeats }, () => piece));
          const sent = compress(payload);
          const packed = packPayload(payload, sent);
          if (sent.length < payload.length) expect(packed.bytes).toBe(sent);
          expect(Buffer.compare(Buffer.from(unpackPayload(packed, 1 << 20)), payload)).toBe(0);
        },
      ),
    );
  });

  test('in gzip that would grow beyond the bound is refused too, whatever size it claims', () => {
    const sent = gzipSync(Buffer.alloc(8 << 20));
    for (const claim of [0, 1000, 0xffff_ffff]) {
      sent.writeUInt32LE(claim, sent.length - 4);
      expect(() => unpackPayload({ bytes: sent, compressed: true }, 4 << 20)).toThrow();
    }
  });

  test('that would grow beyond the bound is refused', () => {
    const bomb = packPayload(Buffer.alloc(8 << 20));
    expect(bomb.compressed).toBe(true);
    expect(() => unpackPayload(bomb, 4 << 20)).toThrow();
  });
});
