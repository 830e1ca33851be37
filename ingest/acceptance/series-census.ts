import { TokenBucket } from 'streams/access';
import type { TenantLimits } from 'streams/contract';
import type { SeriesGate } from 'streams/otlp';

const minuteMs = 60_000;
/** A series is active for an hour after its last point. */
const windowMinutes = 60;
const ring = 64;

/**
 * The active series of one tenant, exactly: a table of 64-bit hashes with the minute of the last point.
 *
 * *Shape* open addressing, three 32-bit words a slot (hash, hash, minute; minute 0 is an empty slot); a ring counts the series by their minute, so that the active ones are known without a walk.
 * *Bias* two series whose hashes collide count as one: at a million series once in 10⁷ processes.
 */
class ActiveSeries {
  #slots = new Int32Array(3 * 256);
  #mask = 255;
  #used = 0;
  #active = 0;
  #minute = 0;
  readonly #byMinute = new Int32Array(ring);

  get active(): number {
    return this.#active;
  }

  get bytes(): number {
    return this.#slots.byteLength;
  }

  /** Moves on to a minute; series silent for an hour are active no more. A clock that went back stands still. */
  advance(minute: number): void {
    if (minute <= this.#minute) return;
    const steps = Math.min(minute - this.#minute, ring);
    for (let step = steps - 1; step >= 0; step--) {
      const expired = (minute - step - windowMinutes) & (ring - 1);
      this.#active -= this.#byMinute[expired] ?? 0;
      this.#byMinute[expired] = 0;
    }
    if (steps === ring) {
      this.#active = 0;
      this.#byMinute.fill(0);
    }
    this.#minute = minute;
  }

  /** Notes a point of a series that is active already; false when it is not. */
  touch(h1: number, h2: number): boolean {
    const at = this.#find(h1, h2);
    const last = this.#slots[at + 2] ?? 0;
    if (last === this.#minute) return true;
    if (last === 0 || last <= this.#minute - windowMinutes) return false;
    this.#move(last, -1);
    this.#slots[at + 2] = this.#minute;
    this.#move(this.#minute, 1);
    return true;
  }

  add(h1: number, h2: number): void {
    let at = this.#find(h1, h2);
    if (this.#slots[at + 2] === 0) {
      if ((this.#used + 1) * 10 > (this.#mask + 1) * 7) {
        this.#rebuild();
        at = this.#find(h1, h2);
      }
      this.#used++;
    }
    this.#slots[at] = h1;
    this.#slots[at + 1] = h2;
    this.#slots[at + 2] = this.#minute;
    this.#move(this.#minute, 1);
    this.#active++;
  }

  #move(minute: number, by: number): void {
    const slot = minute & (ring - 1);
    this.#byMinute[slot] = (this.#byMinute[slot] ?? 0) + by;
  }

  #find(h1: number, h2: number): number {
    const slots = this.#slots;
    for (let slot = h1 & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * 3;
      if (slots[at + 2] === 0 || (slots[at] === h1 && slots[at + 1] === h2)) return at;
    }
  }

  /** Leaves out who is active no more, and doubles only when the active ones need it. */
  #rebuild(): void {
    const before = this.#slots;
    const capacity = (this.#active + 1) * 2 > this.#mask + 1 ? (this.#mask + 1) * 2 : this.#mask + 1;
    this.#slots = new Int32Array(capacity * 3);
    this.#mask = capacity - 1;
    this.#used = 0;
    for (let at = 0; at < before.length; at += 3) {
      const minute = before[at + 2] ?? 0;
      if (minute === 0 || minute <= this.#minute - windowMinutes) continue;
      const [h1, h2] = [before[at] ?? 0, before[at + 1] ?? 0];
      const to = this.#find(h1, h2);
      this.#slots[to] = h1;
      this.#slots[to + 1] = h2;
      this.#slots[to + 2] = minute;
      this.#used++;
    }
  }
}

interface Member {
  readonly series: ActiveSeries;
  readonly arrivals: TokenBucket;
}

export interface SeriesCensusOptions {
  /** Active series of all tenants together; beyond it tenants above their equal share get no new ones. */
  readonly maxSeries: number;
  /** Until then series may be new at any rate: to a process that has just started all of them are. */
  readonly warmUntilMs: number;
}

/**
 * Counts the active series of every tenant, and refuses what goes beyond its limits.
 *
 * *Units* at most about 35 bytes an active series. *Bias* counts what this process takes: where several take for one tenant, each allows the whole limit.
 */
export class SeriesCensus {
  readonly #options: SeriesCensusOptions;
  readonly #members = new Map<string, Member>();
  #minute = 0;
  #total = 0;

  constructor(options: SeriesCensusOptions) {
    this.#options = options;
  }

  active(tenantId: string): number {
    return this.#members.get(tenantId)?.series.active ?? 0;
  }

  /** Active series of all tenants, and the bytes that they are kept in. */
  totals(): { readonly active: number; readonly bytes: number } {
    let bytes = 0;
    for (const { series } of this.#members.values()) bytes += series.bytes;
    return { active: this.#total, bytes };
  }

  /** Judges the points of one request. */
  gate(tenantId: string, limits: TenantLimits, nowMs: number): SeriesGate {
    this.#advance(Math.floor(nowMs / minuteMs));
    const member = this.#member(tenantId, limits, nowMs);
    const { series, arrivals } = member;
    arrivals.refill(limits.newSeriesPerSecond, nowMs);
    const isWarming = nowMs < this.#options.warmUntilMs;
    return {
      judge: (h1, h2) => {
        if (series.touch(h1, h2)) return null;
        if (series.active >= limits.activeSeries || this.#isBeyondShare(series.active)) return 'series_limit';
        if (!isWarming) {
          if (arrivals.left < 1) return 'new_series_rate';
          arrivals.take(1);
        }
        series.add(h1, h2);
        this.#total++;
        return null;
      },
    };
  }

  #isBeyondShare(active: number): boolean {
    const { maxSeries } = this.#options;
    return this.#total >= maxSeries && active >= maxSeries / this.#members.size;
  }

  #member(tenantId: string, limits: TenantLimits, nowMs: number): Member {
    const known = this.#members.get(tenantId);
    if (known !== undefined) return known;
    const member = { series: new ActiveSeries(), arrivals: new TokenBucket(limits.newSeriesPerSecond, nowMs) };
    member.series.advance(this.#minute);
    this.#members.set(tenantId, member);
    return member;
  }

  /** Once a minute: whoever has no active series left is forgotten, its table with it. */
  #advance(minute: number): void {
    if (minute <= this.#minute) return;
    this.#minute = minute;
    this.#total = 0;
    for (const [tenantId, { series }] of this.#members) {
      series.advance(minute);
      if (series.active === 0) this.#members.delete(tenantId);
      this.#total += series.active;
    }
  }
}
