import { unit } from './hash.ts';
import type { Profile } from './profile.ts';

export const COMPONENTS = ['api', 'database', 'billing', 'radius', 'portal'] as const;

/** A stretch of trouble or maintenance, half-open in milliseconds. */
export interface Incident {
  readonly start: number;
  readonly end: number;
  /** Index into {@link COMPONENTS}. */
  readonly component: number;
  readonly status: 'down' | 'degraded';
  readonly faultDomain: 'platform' | 'tenant' | 'upstream';
  readonly maintenance: boolean;
}

export const WEEK_MS = 7 * 86_400_000;
const MINUTE = 60_000;
const CHANCE = { steady: 0.25, growing: 0.35, declining: 0.6, noisy: 2.4, quiet: 0.04 } as const;

/** Incidents of one week (counted from the Unix epoch) in order of start; none reaches into another week. */
export function incidentsOfWeek(profile: Profile, seed: number, week: number): readonly Incident[] {
  const base = week * WEEK_MS;
  const found: Incident[] = [];
  const wanted = CHANCE[profile.character];
  const count = Math.floor(wanted) + (unit(seed, 9001, week) < wanted - Math.floor(wanted) ? 1 : 0);
  for (let index = 0; index < count; index += 1) {
    const u = (what: number) => unit(seed, 9100 + index * 10 + what, week);
    const minutes = 6 + Math.floor(u(0) ** 2 * 70);
    const start = base + Math.floor(u(1) * (WEEK_MS / MINUTE - minutes)) * MINUTE;
    const down = u(2) < 0.6;
    found.push({
      start,
      end: start + minutes * MINUTE,
      component: Math.floor(u(3) * COMPONENTS.length),
      status: down ? 'down' : 'degraded',
      faultDomain: u(4) < 0.65 ? 'platform' : u(4) < 0.85 ? 'upstream' : 'tenant',
      maintenance: false,
    });
  }
  // every fourth week, early on Sunday, local time: the database is taken through maintenance, announced and degraded
  if (week % 4 === 0 && profile.character !== 'quiet') {
    const start = base + 3 * 86_400_000 + (2 - profile.utcOffsetHours) * 3_600_000;
    found.push({
      start,
      end: start + 20 * MINUTE,
      component: 1,
      status: 'degraded',
      faultDomain: 'tenant',
      maintenance: true,
    });
  }
  return found.sort((a, b) => a.start - b.start);
}
