import { Decimal, periodOf, TenantId } from 'streams/contract';
import { describe, expect, test } from 'vitest';
import type { FactTotal } from '../metering/quantity.ts';
import { RateCard, sampleRateCards } from '../rating/index.ts';
import { type DraftInput, draftInvoice, draftInvoiceId, parseDraftInvoiceId } from './draft-invoice.ts';
import type { Subscription } from './subscriptions.ts';

const cards = sampleRateCards().map((card) => RateCard.parse({ ...card, version: 1 }));
const card = (currency: string) => cards.find((one) => one.currency === currency) as RateCard;

const fact = (value: string, seconds = '0', events = 1): FactTotal => ({
  value: Decimal.parse(value),
  seconds: Decimal.parse(seconds),
  events,
});
const subscription = (over: Partial<Subscription> = {}): Subscription => ({
  id: 'sub-1',
  tier: 'small',
  plan: 'professional',
  validFrom: '2026-01-01T00:00:00Z',
  validTo: null,
  ...over,
});
const input = (over: Partial<DraftInput> = {}): DraftInput => ({
  tenant: { id: TenantId.parse('isp-alpha'), currency: 'USD' },
  period: periodOf('2026-11', 'UTC'),
  card: card('USD'),
  subscriptions: [subscription()],
  usage: new Map(),
  transactions: new Map([['payments', []]]),
  knownAt: '0:4711',
  asOf: '2026-11-21T10:00:00Z',
  ...over,
});
const amounts = (draft: ReturnType<typeof draftInvoice>) =>
  Object.fromEntries(draft.lines.map((line) => [line.id, line.amount]));

describe('a draft invoice', () => {
  test('worked by hand: November 2026 of a small ISP in UTC, equal to the cent', () => {
    // November 2026 in UTC: 30 days = 2,592,000 s.
    const usage = new Map([
      // 20 days at 640 customers, 9 days at 655, one day not measured:
      //   unit-seconds 640 × 1,728,000 + 655 × 777,600 = 1,105,920,000 + 509,328,000 = 1,615,248,000
      //   measured seconds 2,505,600; average 644.655…, rounded up 645
      //   500 × 0.90 = 450.00; 145 × 0.70 = 101.50; together 551.50
      ['active_customers', fact('1615248000', '2505600')],
      // 1,234,567 calls: 100,000 included, 1,134,567 beyond = 1,135 started thousands × 0.40 = 454.00
      ['api_calls', fact('1234567')],
      // 25 GB for 10 days, 40 GB for 20 days, GB of 2^30 bytes:
      //   byte-seconds 2^30 × (25 × 864,000 + 40 × 1,728,000) = 2^30 × 90,720,000
      //   ÷ 2^30 ÷ 2,592,000 = 35 GB-months; 20 included with small; 15 × 0.12 = 1.80
      ['storage_gb', fact((2n ** 30n * 90_720_000n).toString(), '2592000')],
      // payments of 4.00, 100.00 twice, and 1,000.00
      ['payments', fact('1204')],
      // 1,000 free, 49,000 × 0.01 = 490.00, 10 × 0.006 = 0.06
      ['ai_calls', fact('50010')],
    ]);
    const payment = (amount: string, count: string) => ({
      amount: Decimal.parse(amount),
      count: Decimal.parse(count),
    });
    // 4.00: 0.5 % is 0.02, at least 0.05; 100.00: 0.50 twice; 1,000.00: 5.00, at most 2.00; together 3.05
    const transactions = new Map([['payments', [payment('4', '1'), payment('100', '2'), payment('1000', '1')]]]);
    const draft = draftInvoice(input({ usage, transactions }));
    expect(amounts(draft)).toEqual({
      tier_fee: '99.00',
      active_customers: '551.50',
      api_calls: '454.00',
      storage: '1.80',
      payments: '3.05',
      ai_calls: '490.06',
    });
    // 99.00 + 551.50 + 454.00 + 1.80 + 3.05 + 490.06
    expect(draft.total).toBe('1599.41');
    const quantities = Object.fromEntries(draft.lines.map((line) => [line.id, line.quantity]));
    expect(quantities).toEqual({
      tier_fee: '1',
      active_customers: '645',
      api_calls: '1234567',
      storage: '35',
      payments: '1204',
      ai_calls: '50010',
    });
    expect(draft).toMatchObject({ id: 'draft-isp-alpha-2026-11', state: 'draft', knownAt: '0:4711' });
    expect(draft.lines.find((line) => line.id === 'active_customers')?.pricing).toEqual([
      { description: 'up to 500', quantity: '500', unitPrice: '0.9', amount: '450' },
      { description: 'above 500 to 1,500', quantity: '145', unitPrice: '0.7', amount: '101.5' },
    ]);
  });

  test('worked by hand: an upgrade in the 25-hour-day month of New York, in two fee lines', () => {
    // November 2026 in New York has 30 × 86,400 + 3,600 = 2,595,600 s.
    // small until 10 Nov 05:00Z (9 days + 1 h = 781,200 s): 99 × 781,200 ÷ 2,595,600 = 29.7961… → 29.80
    // medium for the other 1,814,400 s: 249 × 1,814,400 ÷ 2,595,600 = 174.0582… → 174.06
    // storage included: (20 × 781,200 + 50 × 1,814,400) ÷ 2,595,600 = 40.970873786408 GB; 50 used, 9.029126213592 × 0.12 = 1.0834… → 1.08
    const period = periodOf('2026-11', 'America/New_York');
    const draft = draftInvoice(
      input({
        period,
        subscriptions: [
          subscription({ id: 'sub-2', tier: 'medium', validFrom: '2026-11-10T05:00:00Z' }),
          subscription({ validTo: '2026-11-10T05:00:00.000Z' }),
        ],
        usage: new Map([['storage_gb', fact((50n * 2n ** 30n * 2_595_600n).toString(), '2595600')]]),
      }),
    );
    expect(amounts(draft)).toMatchObject({ 'tier_fee.1': '29.80', 'tier_fee.2': '174.06', storage: '1.08' });
    expect(draft.total).toBe('204.94');
  });

  test('in the EU the same numbers are euros', () => {
    const draft = draftInvoice(
      input({ tenant: { id: TenantId.parse('isp-beta'), currency: 'EUR' }, card: card('EUR') }),
    );
    expect([draft.currency, draft.total]).toEqual(['EUR', '99.00']);
  });

  test('without a subscription or usage it is 0 and names every line of the card', () => {
    const draft = draftInvoice(input({ subscriptions: [subscription({ validFrom: '2026-12-01T00:00:00Z' })] }));
    expect(draft.total).toBe('0.00');
    expect(draft.lines.map((line) => line.id)).toEqual([
      'active_customers',
      'api_calls',
      'storage',
      'payments',
      'ai_calls',
    ]);
  });

  test('a negative quantity stops this invoice and names tenant, item and period', () => {
    expect(() => draftInvoice(input({ usage: new Map([['api_calls', fact('-1')]]) }))).toThrow(
      expect.objectContaining({
        code: 'rating.negative_quantity',
        context: { tenant: 'isp-alpha', period: '2026-11', item: 'api_calls' },
      }),
    );
  });

  test('its id leads back to tenant and period', () => {
    expect(parseDraftInvoiceId(draftInvoiceId('isp-1-2', '2026-11'))).toEqual({ tenant: 'isp-1-2', period: '2026-11' });
    expect(parseDraftInvoiceId('draft-ISP-2026-11')).toBeNull();
    expect(parseDraftInvoiceId('draft-isp-2026-13')).toBeNull();
  });
});
