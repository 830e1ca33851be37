/** How long a bucket may be saved up for. *Source* contract of the limits: a burst of ten seconds. */
export const burstSeconds = 10;

/**
 * A rate with a burst of ten seconds. Whoever comes while something is left is let in with everything it brings and leaves a debt that the rate pays off: a large request is
 * never starved by small ones, and while a debt stands everything is refused without a look at its size.
 *
 * *Units* `rate` is what one second brings; time is milliseconds of any clock that is passed in.
 * *Bias* over any time longer than the burst exactly `rate` passes, plus at most one request.
 */
export class TokenBucket {
  #tokens: number;
  #rate: number;
  #atMs: number;

  constructor(rate: number, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate * burstSeconds;
    this.#atMs = nowMs;
  }

  /** Brings the bucket up to `nowMs`; a rate changed since applies from now on. A clock that went back adds nothing. */
  refill(rate: number, nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#tokens = Math.min(this.#tokens + (this.#rate * elapsedMs) / 1000, rate * burstSeconds);
    this.#rate = rate;
    this.#atMs = nowMs;
  }

  /** What may still be taken; below zero while a debt stands. */
  get left(): number {
    return this.#tokens;
  }

  get isEmpty(): boolean {
    return this.#tokens <= 0;
  }

  take(amount: number): void {
    this.#tokens -= amount;
  }

  /** Whole seconds until something is left again; 0 when there is now. */
  waitSeconds(): number {
    return this.isEmpty ? Math.max(1, Math.ceil(-this.#tokens / this.#rate)) : 0;
  }
}
