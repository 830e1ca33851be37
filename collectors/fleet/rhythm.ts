import { unit } from './hash.ts';
import type { Profile } from './profile.ts';

export const DAY_MS = 86_400_000;
/** A day's activity is spread over slots of 5 minutes. */
const SLOTS = 288;

/** How busy people are at an instant, around 1 on average over a day: low at night, a peak in the evening. */
export function activity(profile: Profile, timeMs: number): number {
  const hour = (timeMs / 3_600_000 + profile.utcOffsetHours) % 24;
  const day = Math.cos(((hour - 19) * Math.PI) / 12);
  const half = Math.cos(((hour - 11) * Math.PI) / 6);
  return 1 + 0.68 * day + 0.2 * half;
}

/** Weekday factor of an ISP's office and portal life; Saturday and Sunday are calmer. */
export function weekday(profile: Profile, timeMs: number): number {
  const day = Math.floor((timeMs / 3_600_000 + profile.utcOffsetHours) / 24 + 4) % 7;
  return [0.78, 1.06, 1.08, 1.05, 1.04, 1.09, 0.9][day] ?? 1;
}

/** Cumulative share of a UTC day's activity at the start of each slot: 289 values from 0 to 1, never falling. */
export function dayShares(profile: Profile, seed: number, day: number): Float64Array {
  const shares = new Float64Array(SLOTS + 1);
  let total = 0;
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const time = day * DAY_MS + (slot + 0.5) * (DAY_MS / SLOTS);
    const noise = 0.82 + 0.36 * unit(seed, 7001, day * SLOTS + slot);
    total += activity(profile, time) * noise;
    shares[slot + 1] = total;
  }
  for (let slot = 1; slot <= SLOTS; slot += 1) shares[slot] = (shares[slot] ?? 0) / total;
  shares[SLOTS] = 1;
  return shares;
}

/** Share of the day's activity done at `timeMs`, linear within a slot. */
export function shareAt(shares: Float64Array, timeMs: number): number {
  const position = ((timeMs % DAY_MS) / DAY_MS) * SLOTS;
  const slot = Math.floor(position);
  const left = shares[slot] ?? 0;
  return left + ((shares[slot + 1] ?? 1) - left) * (position - slot);
}
