import { Decimal, invariant } from 'streams/contract';
import { describe, expect, test } from 'vitest';
import {
  includedOf,
  type MeteredCharge,
  NewRateCard,
  priceCharge,
  priceFlatFee,
  RateCard,
  sampleRateCards,
  selectRateCard,
} from './index.ts';

const cards = sampleRateCards().map((card) => RateCard.parse({ ...card, version: 1 }));
const [usd] = cards;
invariant(usd !== undefined, 'the sample cards are there');

function charge(item: string): MeteredCharge {
  const found = usd?.charges.find((candidate) => candidate.item === item);
  invariant(found !== undefined && found.model !== 'flat', `the card has ${item}`);
  return found;
}
const amountOf = (item: string, quantity: string) =>
  priceCharge(charge(item), { quantity: Decimal.parse(quantity) }).amount.toString();

describe('the sample rate card', () => {
  test.each([
    ['0', '0'],
    ['1', '0.9'],
    ['500', '450'],
    ['501', '450.7'],
    ['1500', '1150'],
    ['1501', '1150.5'],
    ['5000', '2900'],
    ['5001', '2900.35'],
  ])('%s active customers cost %s', (quantity, amount) => expect(amountOf('active_customers', quantity)).toBe(amount));

  test.each([
    ['0', '0'],
    ['100000', '0'],
    ['100001', '0.4'],
    ['101000', '0.4'],
    ['101001', '0.8'],
    // 9,900,000 billed calls are 9,900 thousands at 0.40
    ['10000000', '3960'],
    // the tier above rounds up its own started thousand
    ['10000001', '3960.25'],
    ['10001000', '3960.25'],
    ['10001001', '3960.5'],
  ])('%s API calls cost %s', (quantity, amount) => expect(amountOf('api_calls', quantity)).toBe(amount));

  test.each([
    ['1000', '0'],
    ['1001', '0.01'],
    ['50000', '490'],
    ['50001', '490.006'],
  ])('%s AI calls cost %s', (quantity, amount) => expect(amountOf('ai_calls', quantity)).toBe(amount));

  test('storage is billed beyond what the tier includes', () => {
    const storage = charge('storage');
    invariant(storage.model === 'per_unit', 'storage has one price');
    const included = includedOf(storage, 'small');
    expect(included.toString()).toBe('20');
    const price = (quantity: string) =>
      priceCharge(storage, { quantity: Decimal.parse(quantity), included }).amount.toString();
    expect([price('19.999999999999'), price('20'), price('20.5'), price('120')]).toEqual(['0', '0', '0.06', '12']);
  });

  test('a payment costs 0.5 %, at least 0.05 and at most 2.00', () => {
    const one = (amount: string) =>
      priceCharge(charge('payments'), {
        quantity: Decimal.parse(amount),
        transactions: [{ amount: Decimal.parse(amount), count: Decimal.one }],
      }).amount.toString();
    expect(['1', '10', '10.01', '399.99', '400', '5000'].map(one)).toEqual([
      '0.05',
      '0.05',
      '0.05005',
      '1.99995',
      '2',
      '2',
    ]);
  });

  test('a fee is prorated by seconds and rounded once', () => {
    const fee = (covered: number, total: number) =>
      priceFlatFee({ currency: 'USD', fee: Decimal.parse('249'), coveredSeconds: covered, periodSeconds: total });
    expect(fee(2_592_000, 2_592_000).amount.toString()).toBe('249.00');
    expect(fee(0, 2_592_000).amount.toString()).toBe('0.00');
    // 249 × 1,036,800 ÷ 2,592,000 = 249 × 0.4
    expect(fee(1_036_800, 2_592_000)).toMatchObject({ fraction: Decimal.parse('0.4') });
    expect(fee(1_036_800, 2_592_000).amount.toString()).toBe('99.60');
  });

  test('a negative quantity is refused', () => {
    expect(() => amountOf('api_calls', '-1')).toThrow(expect.objectContaining({ code: 'rating.negative_quantity' }));
  });
});

describe('a rate card', () => {
  const broken = (change: (card: { charges: Record<string, unknown>[] }) => void) => {
    const copy = structuredClone(sampleRateCards()[0]) as unknown as { charges: Record<string, unknown>[] };
    change(copy);
    return NewRateCard.safeParse(copy).success;
  };

  test('with a gap, a fall or no end in its tiers is refused', () => {
    const tiers = (list: unknown[]) => broken((card) => Object.assign(card.charges[1] ?? {}, { tiers: list }));
    expect(tiers([{ up_to: '5', unit_amount: '1' }])).toBe(false);
    expect(
      tiers([
        { up_to: '5', unit_amount: '1' },
        { up_to: '5', unit_amount: '1' },
        { up_to: null, unit_amount: '1' },
      ]),
    ).toBe(false);
    expect(
      tiers([
        { up_to: null, unit_amount: '1' },
        { up_to: null, unit_amount: '1' },
      ]),
    ).toBe(false);
    expect(tiers([{ up_to: null, unit_amount: '-1' }])).toBe(false);
    expect(tiers([{ up_to: null, unit_amount: 0.9 }])).toBe(false);
    expect(tiers([{ up_to: null, unit_amount: '1' }])).toBe(true);
  });

  test('naming an item twice is refused', () => {
    expect(broken((card) => card.charges.push(card.charges[0] ?? {}))).toBe(false);
  });

  test('is chosen by currency, then the closest region, then the newest that is in force', () => {
    const base = cards[0] as RateCard;
    const later = { ...base, version: 2, effective_from: '2026-11-15T00:00:00Z' };
    const regional = { ...base, id: 'eu', region: 'eu' };
    const query = {
      tenant: 'isp-alpha',
      currency: 'USD',
      region: 'us-east',
      period: '2026-11',
      startMs: Date.parse('2026-11-01T00:00:00Z'),
    };
    const all = [later, base, regional];
    expect(selectRateCard(all, query)).toMatchObject({ version: 1, id: 'sample-usd' });
    expect(selectRateCard(all, { ...query, startMs: Date.parse('2026-12-01T00:00:00Z') }).version).toBe(2);
    expect(selectRateCard(all, { ...query, region: 'eu-west' }).id).toBe('eu');
    expect(selectRateCard(all, { ...query, region: 'europe' }).id).toBe('sample-usd');
    expect(() => selectRateCard(all, { ...query, currency: 'GBP' })).toThrow(
      expect.objectContaining({ code: 'billing.no_rate_card' }),
    );
  });
});
