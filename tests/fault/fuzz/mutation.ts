import fc from 'fast-check';

/** One thing that is done to bytes; positions are fractions of the length, so that a mutation fits any payload and shrinks well. */
type Mutation = (bytes: Buffer) => Buffer;

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const at = (bytes: Uint8Array, fraction: number) => Math.floor(fraction * bytes.length);

const setByte = fc
  .tuple(place, fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)))
  .map(
    ([where, value]): Mutation =>
      (bytes) => {
        const copy = Buffer.from(bytes);
        if (copy.length > 0) copy[at(copy, where)] = value;
        return copy;
      },
  );
const flipBit = fc.tuple(place, fc.integer({ min: 0, max: 7 })).map(
  ([where, bit]): Mutation =>
    (bytes) => {
      const copy = Buffer.from(bytes);
      const i = at(copy, where);
      if (copy.length > 0) copy[i] = (copy[i] ?? 0) ^ (1 << bit);
      return copy;
    },
);
const truncate = place.map(
  (where): Mutation =>
    (bytes) =>
      bytes.subarray(0, at(bytes, where)),
);
const remove = fc.tuple(place, fc.integer({ min: 1, max: 64 })).map(
  ([where, length]): Mutation =>
    (bytes) =>
      Buffer.concat([bytes.subarray(0, at(bytes, where)), bytes.subarray(at(bytes, where) + length)]),
);
const repeat = fc.tuple(place, place, fc.integer({ min: 1, max: 20 })).map(
  ([from, to, times]): Mutation =>
    (bytes) => {
      const [start, end] = [at(bytes, Math.min(from, to)), at(bytes, Math.max(from, to))];
      const slice = bytes.subarray(start, Math.min(end, start + 4096));
      return Buffer.concat([bytes.subarray(0, end), ...Array<Buffer>(times).fill(slice), bytes.subarray(end)]);
    },
);
/** Pieces that parsers stumble over: lengths beyond the message, endless varints, words and depths of JSON. */
const pieces = fc.oneof(
  fc.uint8Array({ maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
    Buffer.alloc(11, 0xff),
    Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07]),
    ...['null', '[]', '{}', '""', '1e400', '-0', '9223372036854775808', '"\\ud800"', '__proto__', 'NaN', '\u0000'].map(
      (text) => Buffer.from(text),
    ),
    Buffer.from('['.repeat(2000)),
    Buffer.from('{"a":'.repeat(2000)),
    Buffer.from('{"arrayValue":{"values":['.repeat(200)),
  ),
);
const insert = fc.tuple(place, pieces).map(
  ([where, piece]): Mutation =>
    (bytes) =>
      Buffer.concat([bytes.subarray(0, at(bytes, where)), piece, bytes.subarray(at(bytes, where))]),
);

/** Up to four mutations in a row; none at all is the real payload. */
export const mutations: fc.Arbitrary<Mutation> = fc
  .array(fc.oneof(setByte, flipBit, truncate, remove, repeat, insert), { maxLength: 4 })
  .map((steps) => (bytes) => steps.reduce((current, step) => step(current), bytes));
