import type { DecodedMetrics, SeriesEntry } from '../otlp/port.ts';

const flagLate = 4;
/** A sample that occurred earlier than this before it was received is marked late. */
const lateMs = 32 * 86_400_000;

/** Number points of a whole batch as columns, each with its record's received-at. */
export class PointGather {
  length = 0;
  readonly series: SeriesEntry[] = [];
  timeMs = new Float64Array(1024);
  value = new Float64Array(1024);
  startMs = new Float64Array(1024);
  flags = new Uint8Array(1024);
  /** Seconds. */
  received = new Uint32Array(1024);

  add(points: DecodedMetrics['points'], receivedMs: number): void {
    const from = this.length;
    const to = from + points.length;
    if (to > this.timeMs.length) this.#grow(to);
    this.timeMs.set(points.timeMs.subarray(0, points.length), from);
    this.value.set(points.value.subarray(0, points.length), from);
    this.startMs.set(points.startMs.subarray(0, points.length), from);
    this.flags.set(points.flags.subarray(0, points.length), from);
    this.received.fill(Math.floor(receivedMs / 1000), from, to);
    const oldest = receivedMs - lateMs;
    for (let index = 0; index < points.length; index++) {
      this.series.push(points.series[index] as SeriesEntry);
      if ((points.timeMs[index] as number) < oldest)
        this.flags[from + index] = (this.flags[from + index] ?? 0) | flagLate;
    }
    this.length = to;
  }

  #grow(needed: number): void {
    const capacity = Math.max(needed, this.timeMs.length * 2);
    const doubles = (from: Float64Array) => {
      const to = new Float64Array(capacity);
      to.set(from);
      return to;
    };
    this.timeMs = doubles(this.timeMs);
    this.value = doubles(this.value);
    this.startMs = doubles(this.startMs);
    const flags = new Uint8Array(capacity);
    flags.set(this.flags);
    this.flags = flags;
    const received = new Uint32Array(capacity);
    received.set(this.received);
    this.received = received;
  }
}
