import { AppError, Decimal, type UsageEvent } from 'streams/contract';
import type { HourCount } from 'streams/log';

/** Below this a sum fits the ledger's `Decimal(38, 12)`, as each value does. */
const sumLimit = Decimal.parse(`1${'0'.repeat(26)}`);

/**
 * Counts events and adds their values exactly, by UTC hour of occurred-at. *Shape* hours ascend; `sum` is a decimal string.
 *
 * *Errors* `ingest.event_invalid` (400) when an hour's values add up beyond what the ledger holds: the record would be set aside whole.
 */
export function countByHour(events: readonly UsageEvent[]): HourCount[] {
  const hours = new Map<number, { records: number; sum: Decimal }>();
  for (const event of events) {
    const hour = Math.floor(Date.parse(event.time) / 3_600_000) * 3600;
    const before = hours.get(hour) ?? { records: 0, sum: Decimal.zero };
    hours.set(hour, { records: before.records + 1, sum: before.sum.add(Decimal.parse(event.value)) });
  }
  for (const { sum } of hours.values()) {
    if (sum.compare(sumLimit) < 0) continue;
    const message = 'data.value: values of one hour add up to more than 26 integer digits';
    throw new AppError('ingest.event_invalid', message, { status: 400, field: 'data.value' });
  }
  return [...hours]
    .sort(([a], [b]) => a - b)
    .map(([hour, { records, sum }]) => ({ hour, records, sum: sum.toString() }));
}
