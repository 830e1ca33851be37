import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

type Signal = 'metrics' | 'traces' | 'logs';

interface Range {
  readonly first: number;
  readonly count: number;
}

/**
 * Numbers each record that this run exports, from 1 on by signal, so that Pulse can tell what was sent from what arrived: a gap was produced and never accepted.
 *
 * *Shape* an export keeps its numbers when it is tried again; a new run is a new producer.
 */
export class RunningNumbers {
  readonly producer: string = randomUUID();
  readonly #next: Record<Signal, number> = { metrics: 1, traces: 1, logs: 1 };
  readonly #inHand = new AsyncLocalStorage<Range>();

  /** Runs an export of so many records under the next numbers. */
  during<T>(signal: Signal, count: number, run: () => T): T {
    if (count === 0) return run();
    const first = this.#next[signal];
    this.#next[signal] = first + count;
    return this.#inHand.run({ first, count }, run);
  }

  /** Headers of the export in hand: `pulse-producer` and `pulse-sequence: FIRST;COUNT`. */
  headers(): Record<string, string> {
    const range = this.#inHand.getStore();
    if (range === undefined) return {};
    return { 'pulse-producer': this.producer, 'pulse-sequence': `${range.first};${range.count}` };
  }
}
