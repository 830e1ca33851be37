import { AppError } from '../contract/index.ts';
import { gatherBatch, lingerAfter, pause } from './batch-gather.ts';
import { corrupt } from './log-errors.ts';
import type { Partition } from './partition.ts';
import type { ConsumerOptions, LogBatch, LogRecord } from './port.ts';
import type { PositionFile } from './positions.ts';

/** Milliseconds to wait before attempt `attempt` (from 0) at the same range. */
export type Backoff = (attempt: number) => number;

/** Doubles from 100 ms to 30 s. */
export const defaultBackoff: Backoff = (attempt) => Math.min(30_000, 100 * 2 ** Math.min(attempt, 20));

interface ConsumerParts {
  readonly epoch: string;
  readonly backoff: Backoff;
  readonly partitions: readonly Partition[];
  /** Makes the group's position durable in a partition and hands it out; refuses a second consumer of the same group. */
  claim(partition: Partition): Promise<PositionFile>;
  release(partition: Partition): void;
}

/** One loop a partition: plan, handle, commit. Each loop holds at most one batch. */
export class EmbeddedConsumer {
  readonly #parts: ConsumerParts;
  readonly #options: ConsumerOptions;
  readonly #stopping = new AbortController();
  readonly #claimed: { readonly partition: Partition; readonly position: PositionFile }[] = [];
  #loops: Promise<unknown> = Promise.resolve();

  constructor(parts: ConsumerParts, options: ConsumerOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** *Errors* `log.consumer_exists`; `log.corrupt` when the group has been further than the log now reaches. */
  async start(): Promise<void> {
    try {
      for (const partition of this.#parts.partitions) {
        const position = await this.#parts.claim(partition);
        this.#claimed.push({ partition, position });
        const reached = position.position.plan === null ? position.position.committed : position.position.plan.last + 1;
        if (reached > partition.next)
          throw corrupt(
            `${partition.topic}/${partition.number}`,
            0,
            `group ${this.#options.group} has seen records up to ${reached}, the log ends at ${partition.next}`,
          );
      }
    } catch (error) {
      this.#releaseAll();
      throw error;
    }
    this.#options.onAssigned?.(this.#claimed.map(({ partition }) => partition.number));
    this.#loops = Promise.all(this.#claimed.map(({ partition, position }) => this.#run(partition, position)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loops;
    this.#releaseAll();
  }

  #releaseAll(): void {
    for (const { partition } of this.#claimed.splice(0)) this.#parts.release(partition);
  }

  async #run(partition: Partition, position: PositionFile): Promise<void> {
    let batch: LogBatch | null = null;
    let attempt = 0;
    let tookMs = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        batch ??= await this.#plan(partition, position, lingerAfter(this.#options, tookMs));
        if (batch === null) continue;
        const began = performance.now();
        await this.#options.handle(batch);
        tookMs = performance.now() - began;
        await position.save({ committed: batch.last + 1, plan: null });
        batch = null;
        attempt = 0;
      } catch (error) {
        this.#report(error, batch);
        if (batch !== null) batch = { ...batch, redelivered: true };
        await pause(this.#parts.backoff(attempt), this.#stopping.signal);
        attempt += 1;
      }
    }
  }

  /** The planned range again, or a new one, durable before it is returned. Null when stopping. */
  async #plan(partition: Partition, position: PositionFile, lingerMs: number): Promise<LogBatch | null> {
    const { committed, plan } = position.position;
    if (plan !== null) {
      const records = await collect(partition.read(plan.first, plan.last + 1));
      if (records.length !== plan.last - plan.first + 1)
        throw corrupt(
          `${partition.topic}/${partition.number}`,
          0,
          `the planned range ${plan.first} to ${plan.last} is not all there`,
        );
      return this.#toBatch(records, plan, true);
    }
    const run = { lingerMs, stopping: this.#stopping.signal };
    const records = await gatherBatch(partition, committed, this.#options, run);
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined || this.#stopping.signal.aborted) return null;
    const range = { first: first.offset, last: last.offset };
    await position.save({ committed, plan: range });
    return this.#toBatch(records, range, false);
  }

  #toBatch(records: readonly LogRecord[], range: { first: number; last: number }, redelivered: boolean): LogBatch {
    const { first, last } = range;
    const { topic } = this.#options;
    const partition = records[0]?.partition ?? 0;
    const token = `${this.#parts.epoch}-${topic}-${partition}-${first}-${last}`;
    return { topic, partition, epoch: this.#parts.epoch, first, last, token, redelivered, records };
  }

  #report(error: unknown, batch: LogBatch | null): void {
    try {
      this.#options.onError(error, batch);
    } catch {
      // A listener that fails must not stop the partition.
    }
  }
}

/** *Errors* `log.consumer_invalid` naming the limit that is out of range. */
export function checkLimits(options: ConsumerOptions): void {
  for (const [field, least] of [
    ['maxRecords', 1],
    ['maxBytes', 1],
    ['lingerMs', 0],
  ] as const) {
    if (!Number.isSafeInteger(options[field]) || options[field] < least)
      throw new AppError('log.consumer_invalid', `${field} must be a whole number of at least ${least}`, {
        status: 400,
        field,
      });
  }
}

async function collect(records: AsyncIterable<LogRecord>): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}
