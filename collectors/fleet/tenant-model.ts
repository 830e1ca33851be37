import { hash32, smoothNoise, unit } from './hash.ts';
import { COMPONENTS, type Incident, incidentsOfWeek, WEEK_MS } from './incident.ts';
import { type Profile, TIER_SIZE } from './profile.ts';
import { activity, DAY_MS, dayShares, shareAt, weekday } from './rhythm.ts';

/** How often something happens on a day, a whole number; the day counts from the Unix epoch. */
export type DailyRate = (day: number) => number;

/** A counter in closed form: whole numbers that never fall, 0 at the model's epoch. */
export type Counter = (timeMs: number) => number;

interface Week {
  readonly incidents: readonly Incident[];
  readonly failedBefore: number;
  readonly slowedBefore: number;
}

/** Bound of a tenant's cached days and weeks; a window touches neighbours only. */
const CACHED_DAYS = 8;

/**
 * One simulated ISP: everything about it at an instant follows from (seed, epoch, profile, instant), so any window can be produced again.
 * What it keeps are caches of that function, nothing else.
 */
export class TenantModel {
  readonly profile: Profile;
  readonly seed: number;
  readonly epochMs: number;
  readonly epochDay: number;
  private readonly shares = new Map<number, Float64Array>();
  private readonly weeks: Week[] = [];
  private readonly firstWeek: number;

  constructor(profile: Profile, seed: number, epochMs: number) {
    this.profile = profile;
    this.seed = [...profile.id].reduce((mixed, letter) => hash32(mixed, letter.charCodeAt(0), 1), seed >>> 0);
    this.epochMs = epochMs;
    this.epochDay = Math.floor(epochMs / DAY_MS);
    this.firstWeek = Math.floor(epochMs / WEEK_MS);
  }

  /** Growth or decline as a factor of the size at the epoch, without noise. */
  trend(timeMs: number): number {
    const days = Math.max(0, (timeMs - this.epochMs) / DAY_MS);
    switch (this.profile.character) {
      case 'growing':
        return 1 + 1.3 * (1 - Math.exp(-days / 130));
      case 'declining': {
        const x = Math.min(1, days / 120);
        return 1 - 0.55 * x * x * (3 - 2 * x);
      }
      case 'noisy':
        return 1 + 0.1 * (1 - Math.exp(-days / 300)) + 0.02 * smoothNoise(this.seed, 11, timeMs, 6 * DAY_MS);
      case 'quiet':
        return 1;
      case 'steady':
        return 1 + 0.12 * (1 - Math.exp(-days / 250));
    }
  }

  /** 0 for a healthy ISP, towards 1 as a declining one nears churn: fewer log in, more payments fail, tickets pile up. */
  distress(timeMs: number): number {
    return this.profile.character === 'declining' ? 1 - (this.trend(timeMs) - 0.45) / 0.55 : 0;
  }

  customers(timeMs: number): number {
    const wobble = this.profile.character === 'noisy' ? 0.012 : 0.003;
    const noise = smoothNoise(this.seed, 12, timeMs, DAY_MS / 2);
    return Math.max(1, Math.round(this.profile.customers * this.trend(timeMs) * (1 + wobble * noise)));
  }

  activity(timeMs: number): number {
    return activity(this.profile, timeMs) * (0.55 + 0.45 * weekday(this.profile, timeMs));
  }

  cpuCores(timeMs: number): number {
    const { cores } = TIER_SIZE[this.profile.tier];
    const base = { steady: 0.3, growing: 0.5, declining: 0.3, noisy: 0.36, quiet: 0.05 }[this.profile.character];
    const white = unit(this.seed, 21, Math.floor(timeMs / 60_000)) - 0.5;
    const rough = this.profile.character === 'noisy' ? 0.25 : 0.07;
    const slow = smoothNoise(this.seed, 22, timeMs, 1_800_000);
    const load =
      base * this.trend(timeMs) ** 1.6 * (0.35 + 0.65 * this.activity(timeMs)) + rough * (0.5 * slow + 0.4 * white);
    const trouble = this.incidentAt(timeMs) === undefined ? 0 : 0.2;
    return cores * Math.min(0.985, Math.max(0.01, load + trouble));
  }

  memoryBytes(timeMs: number): number {
    const { memory } = TIER_SIZE[this.profile.tier];
    // a slow leak that the weekly restart clears
    const leak = 0.16 * (((timeMs / DAY_MS + this.seed) % 7) / 7);
    const level =
      0.34 +
      0.1 * this.trend(timeMs) +
      leak +
      0.05 * this.activity(timeMs) +
      0.02 * smoothNoise(this.seed, 23, timeMs, 3_600_000);
    return Math.round(memory * Math.min(0.97, level));
  }

  storageBytes(timeMs: number): number {
    const days = Math.max(0, (timeMs - this.epochMs) / DAY_MS);
    const kept = this.profile.customers * (4_200_000 + 41_000 * days);
    return Math.round(
      TIER_SIZE[this.profile.tier].storage * 0.25 + kept * (1 + 0.001 * smoothNoise(this.seed, 24, timeMs, DAY_MS)),
    );
  }

  openTickets(timeMs: number, priority: number): number {
    const share = [0.006, 0.009, 0.0016][priority] ?? 0;
    const calm = 1 + 0.45 * smoothNoise(this.seed, 31 + priority, timeMs, 5 * 3_600_000);
    const trouble = this.incidentAt(timeMs) === undefined ? 1 : 1.6;
    const expected = this.profile.customers * share * calm * trouble * (1 + 3.5 * this.distress(timeMs));
    return Math.max(0, Math.round(expected));
  }

  /** 1 up, 0 down: a device fails for half an hour about every hundred days, and the first two with an upstream incident. */
  deviceUp(timeMs: number, device: number): number {
    const day = Math.floor(timeMs / DAY_MS);
    if (unit(this.seed, 41 + device, day) < 0.01) {
      const start = day * DAY_MS + Math.floor(unit(this.seed, 61 + device, day) * 1400) * 60_000;
      if (timeMs >= start && timeMs < start + 1_800_000) return 0;
    }
    const incident = this.incidentAt(timeMs);
    return incident?.faultDomain === 'upstream' && incident.status === 'down' && device < 2 ? 0 : 1;
  }

  /** The incident that covers `timeMs`; of several the one that started first. */
  incidentAt(timeMs: number): Incident | undefined {
    for (const incident of this.week(timeMs).incidents) {
      if (incident.start > timeMs) return undefined;
      if (timeMs < incident.end) return incident;
    }
    return undefined;
  }

  /** The incident that `component` shows at `timeMs`. An api or database that is down takes the portal with it. */
  troubleOf(component: number, timeMs: number): Incident | undefined {
    for (const incident of this.week(timeMs).incidents) {
      if (incident.start > timeMs) return undefined;
      if (timeMs >= incident.end) continue;
      if (incident.component === component) return incident;
      if (incident.status === 'down' && incident.component < 2 && component === COMPONENTS.indexOf('portal'))
        return incident;
    }
    return undefined;
  }

  /** Requests that failed (or were slow) because of incidents, since the epoch; never falls. */
  incidentRequests(timeMs: number, kind: 'failed' | 'slowed'): number {
    const week = this.week(timeMs);
    let total = kind === 'failed' ? week.failedBefore : week.slowedBefore;
    for (const incident of week.incidents) {
      if (incident.start > timeMs) break;
      const share = Math.min(1, (timeMs - incident.start) / (incident.end - incident.start));
      total += Math.floor(this.hit(incident, kind) * share);
    }
    return total;
  }

  /** A counter that gains `rate(day)` each day along the day's rhythm. */
  counter(rate: DailyRate): Counter {
    const before: number[] = [0];
    let cachedDay = Number.NaN;
    let start = 0;
    let today = 0;
    let shares: Float64Array = new Float64Array(0);
    return (timeMs) => {
      const day = Math.floor(timeMs / DAY_MS);
      if (day !== cachedDay) {
        const offset = day - this.epochDay;
        if (offset < 0) return 0;
        while (before.length <= offset) {
          before.push((before[before.length - 1] ?? 0) + rate(this.epochDay + before.length - 1));
        }
        start = before[offset] ?? 0;
        today = rate(day);
        shares = this.sharesOf(day);
        cachedDay = day;
      }
      return start + Math.floor(today * shareAt(shares, timeMs));
    };
  }

  /** A whole daily amount: `perCustomer` a customer, with the week's rhythm and a day's luck. */
  daily(perCustomer: number, noiseId: number, factor: (timeMs: number) => number = () => 1): DailyRate {
    return (day) => {
      const noon = day * DAY_MS + DAY_MS / 2;
      const luck = 0.85 + 0.3 * unit(this.seed, noiseId, day);
      return Math.round(this.customers(noon) * perCustomer * weekday(this.profile, noon) * luck * factor(noon));
    };
  }

  private sharesOf(day: number): Float64Array {
    let shares = this.shares.get(day);
    if (shares === undefined) {
      shares = dayShares(this.profile, this.seed, day);
      if (this.shares.size >= CACHED_DAYS) this.shares.clear();
      this.shares.set(day, shares);
    }
    return shares;
  }

  private hit(incident: Incident, kind: 'failed' | 'slowed'): number {
    const minutes = (incident.end - incident.start) / 60_000;
    const requests = this.customers(incident.start) * 0.012 * minutes * this.activity(incident.start);
    if (kind === 'slowed') return Math.floor(requests * 0.6);
    return incident.status === 'down' ? Math.floor(requests * 0.45) : Math.floor(requests * 0.01);
  }

  private week(timeMs: number): Week {
    const index = Math.max(0, Math.floor(timeMs / WEEK_MS) - this.firstWeek);
    for (let next = this.weeks.length; next <= index; next += 1) {
      const last = this.weeks[next - 1];
      const incidents = incidentsOfWeek(this.profile, this.seed, this.firstWeek + next).filter(
        (one) => one.start >= this.epochMs,
      );
      const sum = (kind: 'failed' | 'slowed') =>
        (last?.incidents ?? []).reduce((total, one) => total + this.hit(one, kind), 0);
      this.weeks.push({
        incidents,
        failedBefore: (last?.failedBefore ?? 0) + sum('failed'),
        slowedBefore: (last?.slowedBefore ?? 0) + sum('slowed'),
      });
    }
    const week = this.weeks[index];
    if (week === undefined) throw new Error('invariant: the week was just made');
    return week;
  }
}
