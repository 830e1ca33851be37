import { AppError } from '../contract/index.ts';
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

/** A batch that holds this part of `maxBytes` when its linger ends may wait on: what comes so fast fills it soon. */
const busyShare = 32;
/** A batch that is not full waits so many times what the one before it took: small batches cost nearly what full ones do, and whoever appends needs the processors more. */
const restTimes = 4;

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
        batch ??= await this.#plan(partition, position, this.#lingerAfter(tookMs));
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
    const records = await this.#gather(partition, committed, lingerMs);
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined || this.#stopping.signal.aborted) return null;
    const range = { first: first.offset, last: last.offset };
    await position.save({ committed, plan: range });
    return this.#toBatch(records, range, false);
  }

  #lingerAfter(tookMs: number): number {
    const { lingerMs, busyLingerMs = lingerMs } = this.#options;
    return Math.min(Math.max(lingerMs, restTimes * tookMs), Math.max(lingerMs, busyLingerMs));
  }

  /** Waits for a record, then takes what is there up to the limits, waiting at most `lingerMs` for more. */
  async #gather(partition: Partition, from: number, lingerMs: number): Promise<readonly LogRecord[]> {
    const stopping = this.#stopping.signal;
    await partition.waitFor(from, stopping);
    const records: LogRecord[] = [];
    const { weigh = recordBytes } = this.#options;
    let bytes = 0;
    let full = false;
    const take = async () => {
      for await (const record of partition.read(from + records.length, from + this.#options.maxRecords)) {
        bytes += weigh(record);
        if (records.length > 0 && bytes > this.#options.maxBytes) {
          full = true;
          return;
        }
        records.push(record);
      }
      full = records.length >= this.#options.maxRecords || bytes >= this.#options.maxBytes;
    };
    await take();
    if (full || lingerMs <= 0) return records;
    const { maxBytes, busyLingerMs } = this.#options;
    const latest = performance.now() + (busyLingerMs ?? lingerMs);
    // Where much is waiting there is nothing to rest for: the next record may take a moment, no more.
    const isBusy = () => bytes * busyShare >= maxBytes;
    const moment = Math.min(lingerMs, this.#options.lingerMs);
    let linger = deadline(isBusy() ? moment : lingerMs, stopping);
    while (!full && !linger.signal.aborted) {
      await partition.waitFor(from + records.length, linger.signal);
      await take();
      const left = latest - performance.now();
      if (!isBusy() || left <= 0 || linger.signal.aborted) continue;
      linger.clear();
      linger = deadline(Math.min(moment, left), stopping);
    }
    linger.clear();
    return records;
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

function recordBytes(record: LogRecord): number {
  let bytes = (record.payloadBytes ?? record.payload.length) + record.key.length;
  for (const [name, value] of Object.entries(record.headers)) bytes += name.length + value.length;
  return bytes;
}

async function collect(records: AsyncIterable<LogRecord>): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

function deadline(ms: number, stopping: AbortSignal): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, ms);
  stopping.addEventListener('abort', abort, { once: true });
  if (stopping.aborted) abort();
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', abort);
    },
  };
}

function pause(ms: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const until = deadline(ms, stopping);
    const done = () => {
      until.clear();
      resolve();
    };
    if (until.signal.aborted) done();
    else until.signal.addEventListener('abort', done, { once: true });
  });
}
