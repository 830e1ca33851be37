import type { Day } from './attainment.ts';

/**
 * The local days of a half-open stretch in a time zone, in order and without gaps; a day with a clock change is shorter or longer.
 *
 * *Units* milliseconds since the epoch. *Source* the IANA database of the runtime; zone offsets change on whole minutes.
 */
export function localDays(startMs: number, endMs: number, timeZone: string): Day[] {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  const days: Day[] = [];
  let from = startMs;
  while (from < endMs) {
    const day = format.format(from);
    let low = from;
    let high = Math.min(endMs, from + 26 * 3_600_000);
    if (format.format(high - 1) === day) low = high;
    while (high - low > 60_000) {
      const middle = low + Math.floor((high - low) / 120_000) * 60_000;
      if (format.format(middle) === day) low = middle;
      else high = middle;
    }
    days.push({ day, startMs: from, endMs: high });
    from = high;
  }
  return days;
}
