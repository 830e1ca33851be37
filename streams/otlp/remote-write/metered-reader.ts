import { AppError } from '../../contract/index.ts';
import { WireReader } from '../wire-reader.ts';

/** What elements take in memory while a message is read, about: a message of two-byte elements would otherwise take hundreds of times its size. */
export const elementBytes = {
  symbol: 32,
  series: 400,
  label: 32,
  sample: 100,
  histogram: 1000,
  exemplar: 300,
  number: 8,
} as const;

/**
 * Memory that one message may take, read and translated.
 *
 * *Errors* `remote_write.too_large` (413).
 */
export class ReadBudget {
  readonly #maxBytes: number;
  #left: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#left = maxBytes;
  }

  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw new AppError('remote_write.too_large', `the message stands for more than ${this.#maxBytes} bytes`, {
      status: 413,
    });
  }
}

/** A cursor that knows how much may be made of what it reads. */
export class MeteredReader extends WireReader {
  readonly budget: ReadBudget;

  constructor(bytes: Uint8Array, budget: ReadBudget) {
    super(bytes);
    this.budget = budget;
  }
}
