import { locale } from './locale.ts';

const secondMs = 1000;
const units = [
  { name: 'd', ms: 86_400 * secondMs },
  { name: 'h', ms: 3_600 * secondMs },
  { name: 'min', ms: 60 * secondMs },
  { name: 's', ms: secondMs },
] as const;

/** Writes a span in at most two units: `3 d 4 h`, `12 min`, `8 s`. */
export function formatDuration(ms: number): string {
  let rest = Math.max(0, Math.round(ms / secondMs) * secondMs);
  const parts: string[] = [];
  for (const unit of units) {
    const count = Math.floor(rest / unit.ms);
    rest -= count * unit.ms;
    if (count > 0) parts.push(`${count} ${unit.name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

/** Writes how long ago an instant was, in one unit: `3 min ago`, `in 2 h`. */
export function formatRelative(at: number, now: number): string {
  const distance = Math.abs(now - at);
  if (distance < 5 * secondMs) return 'just now';
  const unit = units.find((candidate) => distance >= candidate.ms) ?? units[3];
  const text = `${Math.floor(distance / unit.ms)} ${unit.name}`;
  return at > now ? `in ${text}` : `${text} ago`;
}

/** Writes an instant in a zone with the zone's short name: `21 Nov 2026, 10:25 GMT`. */
export function formatInstant(at: number | string, timeZone: string, language: string = locale): string {
  return new Intl.DateTimeFormat(language, {
    timeZone,
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  }).format(new Date(at));
}

/** Writes a time of day in a zone: `10:25`, with the day in front when it is not the day of `now`. */
export function formatClock(at: number, now: number, timeZone: string, language: string = locale): string {
  const sameDay = dayOf(at, timeZone) === dayOf(now, timeZone);
  return new Intl.DateTimeFormat(language, {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(sameDay ? {} : { day: 'numeric', month: 'short' }),
  }).format(at);
}

/** Short name of a zone at an instant, such as `GMT+1`. */
export function zoneName(timeZone: string, at: number, language: string = locale): string {
  const parts = new Intl.DateTimeFormat(language, { timeZone, timeZoneName: 'short' }).formatToParts(at);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? timeZone;
}

/** Calendar day of an instant in a zone, `2026-11-21`. */
export function dayOf(at: number, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(at);
}

/** Billing period that an instant lies in, `2026-11`. */
export function periodOf(at: number, timeZone: string): string {
  return dayOf(at, timeZone).slice(0, 7);
}

/** The period before or after one: `shiftPeriod('2026-01', -1)` is `2025-12`. */
export function shiftPeriod(period: string, months: number): string {
  const [year = 1970, month = 1] = period.split('-').map(Number);
  const index = year * 12 + (month - 1) + months;
  return `${Math.floor(index / 12)}-${String((index % 12) + 1).padStart(2, '0')}`;
}

/** Days of a period, oldest first. */
export function daysOf(period: string): string[] {
  const [year = 1970, month = 1] = period.split('-').map(Number);
  const count = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return Array.from({ length: count }, (_, index) => `${period}-${String(index + 1).padStart(2, '0')}`);
}

/** Writes a period in words: `November 2026`. */
export function formatPeriod(period: string, language: string = locale): string {
  return new Intl.DateTimeFormat(language, { month: 'long', year: 'numeric', timeZone: 'UTC' }).format(
    new Date(`${period}-01T00:00:00Z`),
  );
}

/** Writes a calendar day: `Sat 21 Nov`. */
export function formatDay(day: string, language: string = locale): string {
  return new Intl.DateTimeFormat(language, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  }).format(new Date(`${day}T00:00:00Z`));
}
