import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeFrame, encodeFrame, findFrame, frameBytes } from './frame.ts';

const message = fc.record({
  key: fc.string().map((key) => Buffer.from(key)),
  headers: fc.dictionary(fc.string(), fc.string()).map((headers) => Buffer.from(JSON.stringify(headers))),
  payload: fc.uint8Array({ maxLength: 6000 }),
  compressed: fc.boolean(),
  appendedAt: fc.nat(),
});
const seed = fc.integer({ min: 0, max: 0xffffffff });

it('every message comes back from its frame', () => {
  fc.assert(
    fc.property(message, fc.maxSafeNat(), fc.nat(), seed, (input, offset, synced, start) => {
      const bytes = Buffer.concat(encodeFrame(input, offset, synced, start));
      expect(bytes.length).toBe(frameBytes(input));
      const decoded = decodeFrame(bytes, 0, 100, start);
      if (decoded.kind !== 'frame') throw new Error(decoded.kind);
      const { frame } = decoded;
      expect([frame.offset, frame.synced, frame.appendedAt, frame.position, frame.end]).toEqual([
        offset,
        synced,
        input.appendedAt,
        100,
        100 + bytes.length,
      ]);
      expect([frame.key, frame.headersJson]).toEqual([input.key.toString(), input.headers.toString()]);
      expect(Buffer.compare(Buffer.from(frame.payload), Buffer.from(input.payload))).toBe(0);
    }),
  );
});

it('a frame with one changed bit, or one byte less, is never read', () => {
  fc.assert(
    fc.property(message, seed, fc.nat(), (input, start, at) => {
      const bytes = Buffer.concat(encodeFrame(input, 7, 0, start));
      expect(decodeFrame(bytes.subarray(0, at % bytes.length), 0, 0, start).kind).not.toBe('frame');
      const bit = at % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeFrame(bytes, 0, 0, start).kind).not.toBe('frame');
    }),
  );
});

it('a frame is found behind any bytes', () => {
  fc.assert(
    fc.property(message, fc.uint8Array({ maxLength: 500 }), seed, (input, before, start) => {
      const bytes = Buffer.concat([before, ...encodeFrame(input, 9, 0, start)]);
      const found = findFrame(bytes, { from: 0, until: bytes.length, low: 9, high: 9 }, 0, start);
      expect(found?.position).toBe(before.length);
    }),
  );
});
