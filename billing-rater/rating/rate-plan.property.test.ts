import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RatePlan } from './plan.ts';
import { rateUsage } from './rate-command.ts';

/*
 * 30,000 random plans and usages against an oracle that shares nothing with the strategies: integers of a millionth, money in units of 10^-12, one comparison after the other.
 */
const micro = 1_000_000n;
const text = (value: bigint, places: number): string => {
  const digits = value.toString().padStart(places + 1, '0');
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`.replace(/\.?0+$/, '');
};
const ceilDivide = (a: bigint, b: bigint) => (a + b - 1n) / b;

interface OracleTier {
  readonly upTo: bigint | null;
  readonly unit: bigint;
  readonly flat: bigint;
  readonly size: bigint;
  readonly rate: bigint;
}
interface OracleCharge {
  readonly model: RatePlan['charges'][number]['model'];
  readonly unit: bigint;
  readonly size: bigint;
  readonly free: bigint;
  readonly tiers: readonly OracleTier[];
}

/** Money in 10^-12 of one charge for rows of millionths. */
function oracle({ model, unit, size, free, tiers }: OracleCharge, rows: readonly bigint[]): bigint[] {
  const sum = rows.reduce((a, b) => a + b, 0n);
  const inTier = (value: bigint) => tiers.findIndex(({ upTo }) => upTo === null || value <= upTo);
  if (model === 'per_unit') return [sum * unit];
  if (model === 'package') return [sum <= free ? 0n : ceilDivide(sum - free, size) * unit * micro];
  if (model === 'volume') {
    if (sum === 0n) return [0n];
    const tier = tiers[inTier(sum)] as OracleTier;
    return [(tier.size > 0n ? ceilDivide(sum, tier.size) * tier.unit * micro : sum * tier.unit) + tier.flat * micro];
  }
  /** From the top down: what lies above the tier below is this tier's. */
  const upTo = (value: bigint, price: (tier: OracleTier) => bigint): bigint => {
    let left = value;
    let total = 0n;
    for (let index = tiers.length - 1; index >= 0; index -= 1) {
      const below = index === 0 ? 0n : (tiers[index - 1]?.upTo ?? 0n);
      if (left <= below) continue;
      const tier = tiers[index] as OracleTier;
      total += (left - below) * price(tier) + tier.flat * micro;
      left = below;
    }
    return total;
  };
  if (model === 'graduated') return [upTo(sum, ({ unit: price }) => price)];
  let before = 0n;
  return rows.map((row) => {
    const amount = upTo(before + row, ({ rate }) => rate) - upTo(before, ({ rate }) => rate);
    before += row;
    return amount;
  });
}

const number = (max: number) => fc.oneof(fc.constant(0n), fc.bigInt(0n, BigInt(max)), fc.bigInt(0n, 9n * micro));
const tiersOf = fc
  .tuple(fc.uniqueArray(fc.bigInt(1n, 5000n), { maxLength: 4 }), fc.bigInt(1n, micro))
  .chain(([bounds, fraction]) =>
    fc.tuple(
      ...[...bounds.toSorted((a, b) => (a < b ? -1 : 1)), null].map((bound) =>
        fc.record({
          upTo: fc.constant(bound === null ? null : bound * fraction),
          unit: number(9_000_000),
          flat: number(900_000_000),
          size: fc.oneof(fc.constant(0n), fc.bigInt(1n, 300n * micro)),
          rate: number(1_000_000),
        }),
      ),
    ),
  );
const chargeOf: fc.Arbitrary<OracleCharge> = fc.record({
  model: fc.constantFrom('per_unit', 'package', 'graduated', 'volume', 'graduated_percentage'),
  unit: number(90_000_000),
  size: fc.bigInt(1n, 300n * micro),
  free: number(300_000_000),
  tiers: tiersOf,
});
/** Quantities on the bounds themselves are the ones that go wrong. */
const usageOf = (charge: OracleCharge) => {
  const bounds = charge.tiers.flatMap(({ upTo }) => (upTo === null ? [] : [upTo]));
  const row = fc.oneof(number(6_000_000_000), fc.constantFrom(0n, charge.free, charge.size, ...bounds));
  return fc.tuple(fc.constant(charge), fc.array(row, { maxLength: 6 }));
};

const written = (charge: OracleCharge, meter: string) => ({
  meter,
  model: charge.model,
  ...(charge.model === 'per_unit' ? { unit_amount: text(charge.unit, 6) } : {}),
  ...(charge.model === 'package'
    ? { package_size: text(charge.size, 6), package_amount: text(charge.unit, 6), free_units: text(charge.free, 6) }
    : {}),
  ...(charge.model === 'per_unit' || charge.model === 'package'
    ? {}
    : {
        tiers: charge.tiers.map(({ upTo, unit, flat, size, rate }) => ({
          up_to: upTo === null ? null : text(upTo, 6),
          flat_amount: text(flat, 6),
          ...(charge.model === 'graduated_percentage' ? { rate: text(rate, 6) } : {}),
          ...(charge.model === 'graduated' || (charge.model === 'volume' && size === 0n)
            ? { unit_amount: text(unit, 6) }
            : {}),
          ...(charge.model === 'volume' && size > 0n
            ? { package_size: text(size, 6), package_amount: text(unit, 6) }
            : {}),
        })),
      }),
});

describe('plans', () => {
  test('30,000 random charges with their usage cost what an independent oracle says, to the last digit', async () => {
    let charges = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(chargeOf.chain(usageOf), { minLength: 10, maxLength: 10 }), async (cases) => {
        charges += cases.length;
        const plan = RatePlan.parse({
          currency: 'EUR',
          charges: cases.map(([charge], index) => written(charge, `m${index}`)),
        });
        const rows = cases.flatMap(([, quantities], index) => quantities.map((one) => `m${index},${text(one, 6)}`));
        const lines = await rateUsage('usage.csv', ['meter,quantity', ...rows], plan);
        const found = lines.map(({ amount, transactions }) => [amount.toString(), transactions?.map(String)]);
        const expected = cases.map(([charge, quantities]) => {
          const amounts = oracle(charge, quantities);
          const total = text(
            amounts.reduce((a, b) => a + b, 0n),
            12,
          );
          return [total, charge.model === 'graduated_percentage' ? amounts.map((one) => text(one, 12)) : undefined];
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
    expect(charges).toBeGreaterThanOrEqual(30_000);
  });

  test('a refund takes back what the rates took and no flat amount, and a second entry costs none', async () => {
    const plan = RatePlan.parse({
      currency: 'USD',
      charges: [
        {
          meter: 'payments',
          model: 'graduated_percentage',
          tiers: [
            { up_to: '1000', rate: '0.01', flat_amount: '200' },
            { up_to: null, rate: '0.005', flat_amount: '1' },
          ],
        },
      ],
    });
    const rows = ['meter,quantity', 'payments,900', 'payments,200', 'payments,-150', 'payments,50', 'payments,100'];
    const [line] = await rateUsage('usage.csv', rows, plan);
    expect(line?.transactions?.map(String)).toEqual(['209', '2.5', '-1', '0.5', '0.5']);
    await expect(rateUsage('usage.csv', ['meter,quantity', 'payments,5', 'payments,-6'], plan)).rejects.toThrow(
      'line 3: quantity: the sum so far would be -1',
    );
  });

  test.each([
    ['a wrong header', ['meter;quantity'], 'line 1: the header is meter,quantity'],
    ['no header', [], 'line 1: the header is meter,quantity'],
    ['a row without a number', ['meter,quantity', 'a,1', 'a,x'], 'line 3: "a,x" is not meter,quantity'],
    ['an exponent', ['meter,quantity', 'a,1e3'], 'line 2: "a,1e3"'],
    ['an empty meter', ['meter,quantity', ',1'], 'line 2: meter: empty'],
    ['an empty row between others', ['meter,quantity', '', 'a,1'], 'line 2: empty'],
    ['a meter that nobody prices', ['meter,quantity', 'b,1'], 'line 2: meter: b has no charge in the plan'],
    ['a negative total', ['meter,quantity', 'a,1', 'a,-2'], 'a: a quantity of -1 cannot be priced'],
  ])('%s is refused with its line', async (_, rows, message) => {
    const plan = RatePlan.parse({ currency: 'USD', charges: [{ meter: 'a', model: 'per_unit', unit_amount: '1' }] });
    await expect(rateUsage('usage.csv', rows, plan)).rejects.toThrow(message);
  });

  test('empty rows at the end count for nothing, quotes and a byte order mark are read', async () => {
    const plan = RatePlan.parse({
      currency: 'USD',
      charges: [{ meter: 'a,"b"', model: 'per_unit', unit_amount: '2' }],
    });
    const [line] = await rateUsage(
      'usage.csv',
      ['\uFEFFmeter,quantity', '"a,""b""",1.5', '"a,""b""","1"', '', ''],
      plan,
    );
    expect(line?.amount.toString()).toBe('5');
  });

  test.each([
    ['a misspelt price', { meter: 'a', model: 'per_unit', unit_amont: '1' }, 'unit_amont'],
    ['a number instead of a string', { meter: 'a', model: 'per_unit', unit_amount: 1 }, 'unit_amount'],
    ['a negative price', { meter: 'a', model: 'per_unit', unit_amount: '-1' }, 'from 0 up'],
    ['a package of nothing', { meter: 'a', model: 'package', package_amount: '1' }, 'more than 0'],
    [
      'tiers with an end',
      { meter: 'a', model: 'volume', tiers: [{ up_to: '5', unit_amount: '1' }] },
      'up_to must rise',
    ],
    ['no tiers', { meter: 'a', model: 'graduated' }, 'at least one tier'],
    ['an unknown model', { meter: 'a', model: 'stairstep' }, 'model'],
  ])('a plan with %s is refused and names the field', (_, charge, message) => {
    const result = RatePlan.safeParse({ currency: 'USD', charges: [charge] });
    expect(JSON.stringify(result.error?.issues)).toContain(message);
  });
});
