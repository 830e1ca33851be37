import type { PointColumns, SeriesEntry } from './port.ts';

/** Number points gathered as columns that grow by doubling. */
export class PointBuffer implements PointColumns {
  length = 0;
  series: SeriesEntry[] = [];
  timeMs: Float64Array;
  value: Float64Array;
  startMs: Float64Array;
  flags: Uint8Array;

  constructor(capacity: number) {
    this.timeMs = new Float64Array(capacity);
    this.value = new Float64Array(capacity);
    this.startMs = new Float64Array(capacity);
    this.flags = new Uint8Array(capacity);
  }

  push(series: SeriesEntry, timeMs: number, value: number, startMs: number, flags: number): void {
    const at = this.length;
    if (at === this.timeMs.length) this.#grow();
    this.series[at] = series;
    this.timeMs[at] = timeMs;
    this.value[at] = value;
    this.startMs[at] = startMs;
    this.flags[at] = flags;
    this.length = at + 1;
  }

  /** Forgets everything after the first `length` points. */
  truncate(length: number): void {
    // The vector keeps its size, as the others do; the entries are let go.
    this.series.fill(undefined as never, length, this.length);
    this.length = length;
  }

  /** Starts anew in the same memory; the entries are let go. */
  reset(): void {
    this.truncate(0);
  }

  #grow(): void {
    const capacity = this.timeMs.length * 2;
    this.timeMs = grown(this.timeMs, new Float64Array(capacity));
    this.value = grown(this.value, new Float64Array(capacity));
    this.startMs = grown(this.startMs, new Float64Array(capacity));
    const flags = new Uint8Array(capacity);
    flags.set(this.flags);
    this.flags = flags;
  }
}

function grown(from: Float64Array, to: Float64Array): Float64Array {
  to.set(from);
  return to;
}
