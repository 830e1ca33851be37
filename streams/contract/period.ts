import { Temporal } from 'temporal-polyfill';
import { AppError } from './errors.ts';

/**
 * A billing period: a calendar month of a time zone, half-open.
 *
 * *Units* `startMs` and `endMs` are milliseconds since the epoch, `seconds` the period's real length (a month with a clock change is an hour, or half of one, shorter or longer).
 */
export interface BillingPeriod {
  /** `2026-11`. */
  readonly period: string;
  readonly timeZone: string;
  readonly start: string;
  readonly end: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly seconds: number;
}

const periodPattern = /^(\d{4})-(0[1-9]|1[0-2])$/;

/** ISO 8601 in UTC without a fraction when it is zero. */
function toIso(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('.000Z', 'Z');
}

/** First instant of a month in a zone; where midnight is skipped by a clock change, the first instant after it. */
function monthStartMs(month: Temporal.PlainYearMonth, timeZone: string): number {
  try {
    return month.toPlainDate({ day: 1 }).toZonedDateTime(timeZone).epochMilliseconds;
  } catch (cause) {
    throw new AppError('period.zone_invalid', `"${timeZone}" is not an IANA time zone`, {
      status: 400,
      field: 'timeZone',
      cause,
    });
  }
}

/** The calendar month `2026-11` in a time zone. *Errors* `period.invalid`, `period.zone_invalid` (not retryable). */
export function periodOf(period: string, timeZone: string): BillingPeriod {
  const match = periodPattern.exec(period);
  if (match === null || Number(match[1]) < 1970) {
    throw new AppError('period.invalid', `"${period.slice(0, 40)}" is not a month such as 2026-11`, {
      status: 400,
      field: 'period',
    });
  }
  const month = Temporal.PlainYearMonth.from(period);
  const startMs = monthStartMs(month, timeZone);
  const endMs = monthStartMs(month.add({ months: 1 }), timeZone);
  return {
    period,
    timeZone,
    start: toIso(startMs),
    end: toIso(endMs),
    startMs,
    endMs,
    seconds: (endMs - startMs) / 1000,
  };
}

/** The period of a zone that contains an instant. *Units* milliseconds since the epoch. */
export function periodAt(epochMs: number, timeZone: string): BillingPeriod {
  try {
    const local = Temporal.Instant.fromEpochMilliseconds(Math.floor(epochMs)).toZonedDateTimeISO(timeZone);
    return periodOf(local.toPlainDate().toPlainYearMonth().toString(), timeZone);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('period.zone_invalid', `"${timeZone}" is not an IANA time zone`, {
      status: 400,
      field: 'timeZone',
      cause,
    });
  }
}

/** The period before another one, in the same zone. */
export function periodBefore(period: BillingPeriod): BillingPeriod {
  return periodOf(Temporal.PlainYearMonth.from(period.period).subtract({ months: 1 }).toString(), period.timeZone);
}
