import type { TimeBounds } from './port.ts';

const dayMs = 86_400_000;

/** When a record taken at `receivedAtMs` may have occurred. *Units* milliseconds, inclusive at both ends. *Source* storage design: 400 days back, 24 hours ahead. */
export function timeBounds(receivedAtMs: number, retentionDays = 400): TimeBounds {
  return { oldestMs: receivedAtMs - retentionDays * dayMs, newestMs: receivedAtMs + dayMs };
}

/** Why a record is not stored. Door and decoder both ask {@link refusalOfTime}, so they agree on every record. */
export type RejectReason =
  | 'no_time'
  | 'too_old'
  | 'too_far_ahead'
  | 'unnamed_metric'
  | 'invalid_ids'
  | 'bucket_mismatch'
  | 'scale_out_of_range'
  | 'too_many_attributes'
  | 'attribute_too_long'
  | 'series_limit'
  | 'new_series_rate';

/** The reason to refuse a record that occurred at `timeMs`, or null. */
export function refusalOfTime(timeMs: number, bounds: TimeBounds): RejectReason | null {
  if (timeMs >= bounds.oldestMs && timeMs <= bounds.newestMs) return timeMs === 0 ? 'no_time' : null;
  if (timeMs === 0) return 'no_time';
  return timeMs < bounds.oldestMs ? 'too_old' : 'too_far_ahead';
}
