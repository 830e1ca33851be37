import { Decimal, type UsageEvent } from 'streams/contract';
import type { HourCount } from 'streams/log';

/** Counts events and adds their values exactly, by UTC hour of occurred-at. *Shape* hours ascend; `sum` is a decimal string. */
export function countByHour(events: readonly UsageEvent[]): HourCount[] {
  const hours = new Map<number, { records: number; sum: Decimal }>();
  for (const event of events) {
    const hour = Math.floor(Date.parse(event.time) / 3_600_000) * 3600;
    const before = hours.get(hour) ?? { records: 0, sum: Decimal.zero };
    hours.set(hour, { records: before.records + 1, sum: before.sum.add(Decimal.parse(event.value)) });
  }
  return [...hours]
    .sort(([a], [b]) => a - b)
    .map(([hour, { records, sum }]) => ({ hour, records, sum: sum.toString() }));
}
