import type { MeasuredPoint } from '@dotmac/pulse-sdk';

/** Keeps points until they are taken; the oldest give way when nobody takes them. */
export class PointBuffer {
  #points: MeasuredPoint[] = [];
  readonly #pointsMax: number;
  #dropped = 0;

  constructor(pointsMax = 200_000) {
    this.#pointsMax = pointsMax;
  }

  add(points: readonly MeasuredPoint[]): void {
    for (const point of points) this.#points.push(point);
    // in steps of a tenth: moving the array for each addition would cost more than it saves
    if (this.#points.length <= this.#pointsMax) return;
    const over = this.#points.length - Math.floor(this.#pointsMax * 0.9);
    this.#points.splice(0, over);
    this.#dropped += over;
  }

  take(): readonly MeasuredPoint[] {
    const taken = this.#points;
    this.#points = [];
    return taken;
  }

  /** How many gave way so far. */
  get dropped(): number {
    return this.#dropped;
  }
}
