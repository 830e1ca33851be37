import { Decimal, invariant } from 'streams/contract';
import type { Meter } from './meters.ts';

/** A billing fact, or the exact sum of several. *Units* `value` is units for sum meters and unit-seconds for time-weighted ones. */
export interface FactTotal {
  readonly value: Decimal;
  readonly seconds: Decimal;
  readonly events: number;
}

export const noFacts: FactTotal = { value: Decimal.zero, seconds: Decimal.zero, events: 0 };

/** Exact sum; order and grouping change nothing. */
export function addFacts(facts: Iterable<FactTotal>): FactTotal {
  let { value, seconds, events } = noFacts;
  for (const fact of facts) {
    value = value.add(fact.value);
    seconds = seconds.add(fact.seconds);
    events += fact.events;
  }
  return { value, seconds, events };
}

/** Digits a month quantity is cut off at, half-even: those of a stored decimal. */
const monthDigits = 12;

/** The billed quantity of a period. *Bias* time that was not measured counts neither in an average nor as 0; nothing measured is a quantity of 0. */
export function quantityOf(meter: Meter, total: FactTotal, periodSeconds: number): Decimal {
  const { aggregation } = meter;
  switch (aggregation.kind) {
    case 'sum':
      return total.value;
    case 'time_weighted_average':
      return total.seconds.isZero() ? Decimal.zero : total.value.divide(total.seconds, { scale: 0, rounding: 'ceil' });
    case 'time_weighted_month': {
      invariant(periodSeconds > 0, 'a period has a length');
      const divisor = Decimal.parse(aggregation.unitSize).multiply(Decimal.of(BigInt(periodSeconds)));
      return total.value.divide(divisor, { scale: monthDigits, rounding: 'half-even' });
    }
  }
}

/** The same in words, for evidence. */
export function describeAggregation(meter: Meter, periodSeconds: number): string {
  const { aggregation } = meter;
  switch (aggregation.kind) {
    case 'sum':
      return 'sum(value)';
    case 'time_weighted_average':
      return 'sum(value) / sum(seconds), rounded up to a whole unit; value = unit-seconds, seconds = measured seconds; 0 when nothing was measured';
    case 'time_weighted_month':
      return `sum(value) / ${aggregation.unitSize} / ${periodSeconds}, to ${monthDigits} digits half-even; value = byte-seconds, divided by bytes a GB and seconds of the period`;
  }
}
