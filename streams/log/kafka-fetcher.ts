import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../contract/index.ts';
import type { RecordSource } from './batch-gather.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { fromKafka } from './kafka-errors.ts';
import { type FetchedPartition, fetchPartitions, outOfRange } from './kafka-reader.ts';
import type { KafkaTopic } from './kafka-topics.ts';
import type { LogRecord } from './port.ts';

/** How long a fetch waits at the broker when there is nothing. */
const maxWaitMs = 250;
/** Packed bytes that wait in memory for one partition, beside the batch in hand and one fetch. */
const heldBytesMax = 8 * 1024 * 1024;

export interface BufferLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  weigh(record: LogRecord): number;
}

/** What was fetched of one partition and is not in a committed batch yet. A full buffer is not fetched for: that is the back-pressure. */
export class PartitionBuffer implements RecordSource {
  readonly partition: number;
  readonly #limits: BufferLimits;
  readonly #onRoom: () => void;
  #records: LogRecord[] = [];
  #head = 0;
  #weight = 0;
  #held = 0;
  /** Port offset that is fetched next. */
  #next: number;
  #failure: AppError | null = null;
  #wake: (() => void)[] = [];

  constructor(partition: number, from: number, limits: BufferLimits, onRoom: () => void) {
    this.partition = partition;
    this.#next = from;
    this.#limits = limits;
    this.#onRoom = onRoom;
  }

  get next(): number {
    return this.#next;
  }

  get wants(): boolean {
    const count = this.#records.length - this.#head;
    return (
      this.#failure === null &&
      this.#held < heldBytesMax &&
      this.#weight < 2 * this.#limits.maxBytes &&
      count < 2 * this.#limits.maxRecords
    );
  }

  push(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.offset < this.#next) continue;
      this.#records.push(record);
      this.#weight += this.#limits.weigh(record);
      this.#held += heldBytes(record);
      this.#next = record.offset + 1;
    }
    this.#notify();
  }

  /** Whoever waits is told of it, and nothing more is fetched. */
  fail(error: AppError): void {
    this.#failure = error;
    this.#notify();
  }

  async waitFor(offset: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#next > offset) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          signal.removeEventListener('abort', done);
          resolve();
        };
        signal.addEventListener('abort', done, { once: true });
        this.#wake.push(done);
      });
    }
  }

  *read(from: number, to: number): Iterable<LogRecord> {
    for (let index = this.#head; index < this.#records.length; index += 1) {
      const record = this.#records[index];
      if (record === undefined || record.offset < from) continue;
      if (record.offset >= to) return;
      yield record;
    }
  }

  /** Forgets what a batch has taken over. */
  dropBefore(offset: number): void {
    for (let record = this.#records[this.#head]; record !== undefined && record.offset < offset; ) {
      this.#weight -= this.#limits.weigh(record);
      this.#held -= heldBytes(record);
      this.#head += 1;
      record = this.#records[this.#head];
    }
    if (this.#head * 2 >= this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
    this.#onRoom();
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Memory of a record that is held packed, and what it costs beside its payload. */
function heldBytes(record: LogRecord): number {
  return (
    ('heldBytes' in record && typeof record.heldBytes === 'number' ? record.heldBytes : record.payload.length) + 1024
  );
}

interface FetcherOptions {
  readonly topic: KafkaTopic;
  readonly group: string;
  onError(error: unknown): void;
  /** The broker knows this incarnation of the topic no more. */
  onOtherTopic(): void;
}

/** Fetches for the partitions that have room: one fetch at a time from each broker that leads some of them. */
export class KafkaFetcher {
  readonly #cluster: KafkaCluster;
  readonly #options: FetcherOptions;
  readonly #buffers = new Map<number, PartitionBuffer>();
  readonly #loops = new Map<number, Promise<void>>();
  #stopped = false;
  #wake: (() => void)[] = [];

  constructor(cluster: KafkaCluster, options: FetcherOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Begins to fetch a partition at a port offset. */
  async add(partition: number, from: number, limits: BufferLimits): Promise<PartitionBuffer> {
    const buffer = new PartitionBuffer(partition, from, limits, () => this.#notify());
    this.#buffers.set(partition, buffer);
    await this.#lead();
    this.#notify();
    return buffer;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#notify();
    await Promise.all(this.#loops.values());
  }

  async #lead(): Promise<void> {
    const layout = await this.#cluster.retrying(() => this.#cluster.layout(this.#options.topic.name));
    for (const leader of new Set(layout?.leaders ?? [])) {
      if (leader >= 0 && !this.#loops.has(leader)) this.#loops.set(leader, this.#run(leader));
    }
  }

  async #run(node: number): Promise<void> {
    while (!this.#stopped) {
      try {
        const layout = await this.#cluster.layout(this.#options.topic.name);
        const wanted = [...this.#buffers.values()].filter(
          (buffer) => buffer.wants && layout?.leaders[buffer.partition] === node,
        );
        if (wanted.length === 0) await this.#change();
        else await this.#fetch(node, wanted);
      } catch (error) {
        if (this.#stopped) return;
        this.#options.onError(fromKafka(error, 'fetching'));
        await sleep(200);
        // Leaders may have moved to a broker that has no loop yet.
        await this.#cluster.layout(this.#options.topic.name, true).then(
          () => this.#lead(),
          () => undefined,
        );
      }
    }
  }

  async #fetch(node: number, wanted: readonly PartitionBuffer[]): Promise<void> {
    const { topic, group } = this.#options;
    const fetched = await fetchPartitions(this.#cluster, {
      purpose: `fetch ${group} ${topic.topic}`,
      node,
      topicId: topic.id,
      place: { topic: topic.topic, base: topic.base },
      partitions: wanted.map(({ partition, next }) => ({ partition, offset: next - topic.base })),
      maxWaitMs,
    });
    let troubled = 0;
    for (const answer of fetched) {
      const buffer = this.#buffers.get(answer.partition);
      if (buffer === undefined || this.#stopped) continue;
      if (answer.errorCode === 0) buffer.push(answer.records);
      else troubled += await this.#mend(buffer, answer);
    }
    if (troubled > 0) await sleep(200);
  }

  /** Answers 1 when it may pass by itself. */
  async #mend(buffer: PartitionBuffer, { errorCode }: FetchedPartition): Promise<number> {
    const { topic } = this.#options;
    const layout = await this.#cluster.layout(topic.name, true);
    if (layout === null || layout.id !== topic.id) {
      this.#options.onOtherTopic();
      return 1;
    }
    if (errorCode === outOfRange)
      buffer.fail(
        new AppError('log.offset_gone', `offset ${buffer.next} of ${topic.name}/${buffer.partition} is not there`, {
          status: 410,
          context: { topic: topic.name, partition: buffer.partition, offset: buffer.next },
        }),
      );
    return 1;
  }

  async #change(): Promise<void> {
    await Promise.race([
      new Promise<void>((resolve) => this.#wake.push(resolve)),
      // Leaders move without telling.
      sleep(1000, undefined, { ref: false }),
    ]);
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
