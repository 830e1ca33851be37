import fc from 'fast-check';
import { Decimal } from 'streams/contract';
import { describe, expect, test } from 'vitest';
import { type FactsByBucket, type MeteredEvent, type MeteredSample, sumFacts, timeWeightedFacts } from './facts.ts';
import { meterOf } from './meters.ts';
import { addFacts, noFacts, quantityOf } from './quantity.ts';

const start = Date.parse('2026-11-01T00:00:00Z');
const periodSeconds = 2_592_000;

const event = fc.record({
  source: fc.constantFrom('/a', '/b'),
  id: fc.integer({ min: 0, max: 30 }),
  ms: fc.integer({ min: 0, max: 7_200_000 }),
  value: fc.bigInt({ min: 0n, max: 10n ** 30n }),
});
const toEvents = (list: { source: string; id: number; ms: number; value: bigint }[]): MeteredEvent[] => {
  const byIdentity = new Map(list.map((one) => [`${one.source}${one.id}`, one]));
  return [...byIdentity.values()].map((one) => ({
    source: one.source,
    id: String(one.id),
    timeMs: start + one.ms,
    value: Decimal.of(one.value, 12),
  }));
};
const text = (facts: FactsByBucket) =>
  [...facts]
    .toSorted((a, b) => a[0] - b[0])
    .map(([bucket, fact]) => `${bucket} ${fact.value.toString()} ${fact.seconds.toString()} ${fact.events}`);

describe('usage facts', () => {
  test('any order and duplication of events gives the same facts and quantity', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.infiniteStream(fc.nat()), (list, random) => {
        const events = toEvents(list);
        const delivered = [...events, ...events.filter((_, index) => index % 3 === 0)]
          .map((one) => ({ one, key: random.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ one }) => one);
        const facts = sumFacts(delivered);
        expect(text(facts)).toEqual(text(sumFacts(events)));
        const quantity = quantityOf(meterOf('api_calls'), addFacts(facts.values()), periodSeconds);
        expect(quantity.equals(Decimal.sum(events.map(({ value }) => value)))).toBe(true);
      }),
    );
  });

  test('facts add up the same however they are batched', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.nat(60), (list, cut) => {
        const events = toEvents(list);
        const parts = [events.slice(0, cut), events.slice(cut)].map((part) => addFacts(sumFacts(part).values()));
        const whole = addFacts(sumFacts(events).values());
        expect(text(new Map([[0, addFacts(parts)]]))).toEqual(text(new Map([[0, whole]])));
      }),
    );
  });

  test('any order and duplication of samples gives the same facts; measured seconds never exceed the bucket', () => {
    const sample = fc.record({
      group: fc.constantFrom('x', 'y'),
      ms: fc.integer({ min: 0, max: 7200 }).map((second) => second * 1000),
      value: fc.option(fc.bigInt({ min: 0n, max: 10n ** 20n }), { nil: null }),
    });
    const samples = fc.uniqueArray(sample, { maxLength: 50, selector: ({ group, ms }) => `${group}${ms}` });
    fc.assert(
      fc.property(samples, fc.infiniteStream(fc.nat()), (list, random) => {
        const given = list.map(
          ({ group, ms, value }): MeteredSample => ({
            group,
            timeMs: start + ms,
            value: value === null ? null : Decimal.of(value, 6),
          }),
        );
        const delivered = [...given, ...given]
          .map((one) => ({ one, key: random.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ one }) => one);
        const facts = timeWeightedFacts(delivered);
        expect(text(facts)).toEqual(text(timeWeightedFacts(given)));
        for (const fact of facts.values()) expect(fact.seconds.compare(Decimal.of(900n))).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('an average is over measured seconds, rounded up; nothing measured is 0', () => {
    const customers = meterOf('active_customers');
    const facts = timeWeightedFacts([
      { group: '', timeMs: start, value: Decimal.of(10n) },
      { group: '', timeMs: start + 300_000, value: Decimal.of(11n) },
      // a gap of an hour is not measured and does not lower the average
      { group: '', timeMs: start + 4_800_000, value: Decimal.of(11n) },
    ]);
    const total = addFacts(facts.values());
    // 10 × 300 + 11 × 900 + 11 × 900 over 2,100 s = 10.857…
    expect([total.value.toString(), total.seconds.toString()]).toEqual(['22800', '2100']);
    expect(quantityOf(customers, total, periodSeconds).toString()).toBe('11');
    expect(quantityOf(customers, noFacts, periodSeconds).toString()).toBe('0');
  });
});
