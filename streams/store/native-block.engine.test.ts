import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeNativeBlock, scaledDecimal } from './native-block.ts';
import { openStoreFixture, rowsOf, type StoreFixture } from './store-fixture.ts';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('', 'é€😀', 'a'.repeat(47), 'a'.repeat(48), 'b'.repeat(300), "'\\\0\n"),
);
const wellFormed = text.filter((value) => value.isWellFormed());
const bigint = (bits: number, signed: boolean) =>
  signed
    ? fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n })
    : fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n });
const mapOf = fc.array(fc.tuple(wellFormed, wellFormed), { maxLength: 5 }).map((pairs) => new Map(pairs));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase();
const iso = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ');
const decimal = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }).map((scaled) => {
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(13, '0');
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -12)}.${digits.slice(-12)}`;
});

/** Type → values to write, how the engine is asked to show one, and how it must then look. */
const types: Record<string, { arbitrary: fc.Arbitrary<unknown>; show?: string; expected?: (value: never) => unknown }> =
  {
    UInt8: { arbitrary: fc.integer({ min: 0, max: 255 }) },
    UInt16: { arbitrary: fc.integer({ min: 0, max: 65_535 }) },
    UInt32: { arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 1 }) },
    UInt64: { arbitrary: bigint(64, false), expected: String },
    Int8: { arbitrary: fc.integer({ min: -128, max: 127 }) },
    Int32: { arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) },
    Int64: { arbitrary: bigint(64, true), expected: String },
    Float32: {
      arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true }),
      show: 'reinterpretAsUInt32(v)',
      expected: float32Bits,
    },
    Float64: { arbitrary: fc.double(), show: 'toString(reinterpretAsUInt64(v))', expected: float64Bits },
    Bool: { arbitrary: fc.boolean() },
    String: { arbitrary: wellFormed },
    'FixedString(8)': { arbitrary: fc.uint8Array({ minLength: 8, maxLength: 8 }), show: 'hex(v)', expected: hex },
    "DateTime('UTC')": { arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 1 }), show: 'toUnixTimestamp(v)' },
    "DateTime64(3, 'UTC')": {
      arbitrary: fc.integer({ min: 0, max: Date.UTC(2200, 0, 1) }),
      expected: iso,
    },
    "DateTime64(9, 'UTC')": {
      arbitrary: fc.bigInt({ min: 0n, max: 2n ** 62n }),
      show: 'toUnixTimestamp64Nano(v)',
      expected: String,
    },
    'Decimal(38, 12)': { arbitrary: decimal, show: 'toString(toDecimalString(v, 12))' },
    'Array(UInt64)': {
      arbitrary: fc.array(bigint(64, false), { maxLength: 6 }),
      expected: (value: bigint[]) => value.map(String),
    },
    'Array(String)': { arbitrary: fc.array(wellFormed, { maxLength: 6 }) },
    'Map(String, String)': { arbitrary: mapOf, show: ordered('v'), expected: pairs },
    'Array(Map(String, String))': {
      arbitrary: fc.array(mapOf, { maxLength: 3 }),
      show: `arrayMap(m -> ${ordered('m')}, v)`,
      expected: (value: Map<string, string>[]) => value.map((map) => pairs(map)),
    },
  };

function ordered(of: string): string {
  return `arrayZip(mapKeys(${of}), mapValues(${of}))`;
}
function pairs(map: Map<string, string>) {
  return [...map];
}
function float32Bits(value: number) {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}
function float64Bits(value: number) {
  return String(new BigUint64Array(Float64Array.of(value).buffer)[0]);
}

describe('a block read by the engine holds what was written', () => {
  for (const [type, { arbitrary, show = 'v', expected = (value: never) => value }] of Object.entries(types)) {
    test(type, async () => {
      await fixture.store.execute('DROP TABLE IF EXISTS roundtrip');
      await fixture.store.execute(
        `CREATE TABLE roundtrip (run UInt32, row UInt32, v ${type}) ENGINE = MergeTree ORDER BY (run, row) SETTINGS non_replicated_deduplication_window = 100`,
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(arbitrary, { minLength: 1, maxLength: 40 }), async (values) => {
          run++;
          const rows = values.length;
          const columns = [
            { name: 'v', type, values },
            { name: 'row', type: 'UInt32', values: values.map((_, row) => row) },
            { name: 'run', type: 'UInt32', values: new Uint32Array(rows).fill(run) },
          ];
          await fixture.store.insert({ table: 'roundtrip', rows, columns }, `run-${run}`);
          const read = await rowsOf(
            fixture.store,
            `SELECT ${show} AS shown FROM roundtrip WHERE run = ${run} ORDER BY row`,
          );
          expect(read.map((row) => row['shown'])).toEqual(values.map((value) => expected(value as never)));
        }),
        { numRuns: 12 },
      );
    });
  }

  test('doubles holding milliseconds become 64-bit ticks exactly', () => {
    const values = Float64Array.of(0, 1, 4_294_967_295, 4_294_967_296, 1_790_000_000_123, 2 ** 53 - 1);
    const chunks = encodeNativeBlock({
      table: 't',
      rows: 6,
      columns: [{ name: 'x', type: "DateTime64(3, 'UTC')", values }],
    });
    const bytes = Buffer.concat(chunks).subarray(-48);
    expect(Array.from({ length: 6 }, (_, row) => Number(bytes.readBigInt64LE(row * 8)))).toEqual([...values]);
  });

  test('what a type cannot hold is refused with the column', () => {
    const block = (type: string, value: unknown) => ({
      table: 't',
      rows: 1,
      columns: [{ name: 'c', type, values: [value] }],
    });
    for (const [type, value] of [
      ['UInt32', '7'],
      ['UInt64', 1.5],
      ['String', 7],
      ['FixedString(2)', new Uint8Array(3)],
      ['Map(String, String)', {}],
    ] as const) {
      expect(() => encodeNativeBlock(block(type, value))).toThrow(
        expect.objectContaining({ code: 'store.value_invalid', field: 'c' }),
      );
    }
    expect(() => encodeNativeBlock(block('UUID', 'x'))).toThrow(
      expect.objectContaining({ code: 'store.type_unsupported' }),
    );
    expect(() => scaledDecimal('0.0000000000001', 12)).toThrow(
      expect.objectContaining({ code: 'store.value_invalid' }),
    );
    expect(scaledDecimal('-12.5', 12)).toBe(-12_500_000_000_000n);
  });
});
