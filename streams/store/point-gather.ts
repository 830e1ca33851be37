import type { PointColumns, SeriesEntry } from '../otlp/port.ts';

/** Flag of a sample that occurred earlier before its received-at than its tenant's window for late data. */
export const flagLate = 4;

/** What a record's envelope says about its points. */
export interface PointOrigin {
  readonly receivedMs: number;
  readonly retentionDays: number;
  /** Occurred before this: late. −∞ when nothing of the record can be. */
  readonly lateBeforeMs: number;
}

/** Number points of a whole batch as columns, each with what its record adds. Used again for the next batch: columns are longer than `length`. */
export class PointGather {
  length = 0;
  readonly series: SeriesEntry[] = [];
  timeMs = new Float64Array(1024);
  value = new Float64Array(1024);
  startMs = new Float64Array(1024);
  flags = new Uint8Array(1024);
  /** Seconds. */
  received = new Uint32Array(1024);
  retentionDays = new Uint16Array(1024);

  add(points: PointColumns, origin: PointOrigin): void {
    const from = this.length;
    const to = from + points.length;
    if (to > this.timeMs.length) this.#grow(to);
    this.timeMs.set(points.timeMs.subarray(0, points.length), from);
    this.value.set(points.value.subarray(0, points.length), from);
    this.startMs.set(points.startMs.subarray(0, points.length), from);
    this.flags.set(points.flags.subarray(0, points.length), from);
    this.received.fill(Math.floor(origin.receivedMs / 1000), from, to);
    this.retentionDays.fill(origin.retentionDays, from, to);
    const { series, flags } = this;
    for (let index = 0; index < points.length; index++) {
      series[from + index] = points.series[index] as SeriesEntry;
      if ((points.timeMs[index] as number) < origin.lateBeforeMs)
        flags[from + index] = (flags[from + index] ?? 0) | flagLate;
    }
    this.length = to;
  }

  /** Forgets the points and keeps the memory, unless one huge batch made it large. */
  reset(): void {
    this.length = 0;
    // Entries that left the cache must not be kept alive by an old batch.
    this.series.length = 0;
  }

  #grow(needed: number): void {
    const capacity = Math.max(needed, this.timeMs.length * 2);
    this.timeMs = widened(this.timeMs, new Float64Array(capacity));
    this.value = widened(this.value, new Float64Array(capacity));
    this.startMs = widened(this.startMs, new Float64Array(capacity));
    this.flags = widened(this.flags, new Uint8Array(capacity));
    this.received = widened(this.received, new Uint32Array(capacity));
    this.retentionDays = widened(this.retentionDays, new Uint16Array(capacity));
  }
}

function widened<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Points of a batch whose columns are worth keeping for the next one: 35 bytes each. */
const keptPointsMax = 1_000_000;

/** Gathers that wait to be used again. *Bias* at most two, one a partition: more are left to the garbage collector. */
export class GatherPool {
  readonly #free: PointGather[] = [];

  take(): PointGather {
    return this.#free.pop() ?? new PointGather();
  }

  give(gather: PointGather): void {
    gather.reset();
    if (this.#free.length < 2 && gather.timeMs.length <= keptPointsMax) this.#free.push(gather);
  }
}
