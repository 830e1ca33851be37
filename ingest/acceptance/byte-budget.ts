import { AppError } from 'streams/contract';

/**
 * Bounds the bytes that requests hold at a time, compressed and decompressed together.
 *
 * *Bias* a soft limit: a request that is let in may pass it by its own size, the next one is turned away.
 * *Errors* `ingest.overloaded` (503, retryable, with Retry-After).
 */
export class ByteBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get held(): number {
    return this.#held;
  }

  /** Refuses when `bytes` more would pass the limit; a budget that holds nothing lets anything in. */
  check(bytes: number): void {
    if (this.#held > 0 && this.#held + bytes > this.#limit) {
      throw new AppError('ingest.overloaded', 'too many bytes are being taken at the moment: send again later', {
        status: 503,
        retryable: true,
        retryAfterSeconds: 1,
      });
    }
  }

  hold(bytes: number): void {
    this.#held += bytes;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}
