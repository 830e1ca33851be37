import { Producer } from '@platformatic/kafka';
import { clientOptions, type KafkaCluster } from './kafka-cluster.ts';
import { fromKafka, hasCode, isOtherTopic } from './kafka-errors.ts';
import type { PreparedRecord } from './kafka-record.ts';
import { unavailable } from './log-errors.ts';

const bytesOf = (items: readonly { readonly record: PreparedRecord }[]) =>
  items.reduce((sum, { record }) => sum + record.bytes, 0);

/** Records of one partition that travel in one batch: the broker takes a batch of 4 MiB and one record always. */
const batchBytesMax = 3 * 1024 * 1024;
const requestBytesMax = 16 * 1024 * 1024;

interface Waiting {
  readonly topic: string;
  readonly partition: number;
  readonly record: PreparedRecord;
  readonly done: (offset: number) => void;
  readonly failed: (error: unknown) => void;
}

export interface KafkaProducerOptions {
  readonly queueBytes: number;
  /** Of a topic of the brokers. */
  readonly onSent?: (topic: string, records: number, bytes: number) => void;
  /** A request was acknowledged. */
  readonly onAnswer?: (seconds: number) => void;
}

/**
 * Group commit to the brokers: calls that wait together share one request.
 *
 * *Shape* one request at a time, idempotent and acknowledged by all replicas in sync: records of a partition keep the order of the calls, and a repeated request stores nothing twice.
 * *Bias* when a request fails after all repetitions its records may stand on the log all the same.
 */
export class KafkaProducer {
  readonly #cluster: KafkaCluster;
  readonly #options: KafkaProducerOptions;
  #client: Producer<Buffer, Buffer, Buffer, Buffer> | null = null;
  #waiting: Waiting[] = [];
  #queueBytes = 0;
  #pumping = false;
  #closed = false;

  constructor(cluster: KafkaCluster, options: KafkaProducerOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  get queueBytes(): number {
    return this.#queueBytes;
  }

  /** *Errors* `log.unavailable`: more waits than the brokers take. */
  checkRoom(records: readonly PreparedRecord[]): void {
    const bytes = records.reduce((sum, record) => sum + record.bytes, 0);
    if (this.#queueBytes + bytes > this.#options.queueBytes) throw unavailable('the queue to the brokers is full');
  }

  /** Resolves with the broker offsets of the records, in their order. *Errors* `log.unavailable`. */
  async send(
    topic: string,
    records: readonly { readonly partition: number; readonly record: PreparedRecord }[],
  ): Promise<number[]> {
    if (this.#closed) throw unavailable('it is not running');
    const bytes = bytesOf(records);
    this.#queueBytes += bytes;
    const answers = records.map(
      ({ partition, record }) =>
        new Promise<number>((done, failed) => {
          this.#waiting.push({ topic, partition, record, done, failed });
        }),
    );
    void this.#pump();
    try {
      const settled = await Promise.allSettled(answers);
      return settled.map((outcome) => {
        if (outcome.status === 'rejected') throw outcome.reason;
        return outcome.value;
      });
    } finally {
      this.#queueBytes -= bytes;
    }
  }

  /** Sends what waits, then closes. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#pumping) await new Promise((resolve) => setTimeout(resolve, 5));
    await this.#client?.close().catch(() => undefined);
  }

  /** Ends the connections without sending what waits. */
  async sever(): Promise<void> {
    this.#closed = true;
    for (const { failed } of this.#waiting.splice(0)) failed(unavailable('it was cut off'));
    await this.#client?.close().catch(() => undefined);
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    // Calls of the same turn of the event loop go together.
    await null;
    while (this.#waiting.length > 0) await this.#sendGroup(this.#takeGroup());
    this.#pumping = false;
  }

  /** As many as fit into one request, the rest keeps its order. */
  #takeGroup(): Waiting[] {
    const sizes = new Map<string, number>();
    const group: Waiting[] = [];
    const rest: Waiting[] = [];
    let total = 0;
    for (const item of this.#waiting) {
      const place = `${item.topic}/${item.partition}`;
      const size = sizes.get(place) ?? 0;
      const fits = size === 0 || (size + item.record.bytes <= batchBytesMax && total <= requestBytesMax);
      sizes.set(place, fits ? size + item.record.bytes : Number.POSITIVE_INFINITY);
      if (fits) total += item.record.bytes;
      (fits ? group : rest).push(item);
    }
    this.#waiting = rest;
    return group;
  }

  async #sendGroup(group: readonly Waiting[]): Promise<void> {
    const began = performance.now();
    const bytes = bytesOf(group);
    const plain = group.reduce((sum, { record }) => sum + record.plainBytes, 0);
    try {
      this.#client ??= this.#create();
      const messages = group.map(({ topic, partition, record }) => record.toProduce(topic, partition));
      // What is packed already is not packed again: only where most is plain (many small records) it is worth the time.
      const compression = plain * 2 > bytes && plain > 1024 ? 'zstd' : 'none';
      const { offsets = [] } = await this.#client.send({ messages, compression });
      const next = new Map(offsets.map(({ topic, partition, offset }) => [`${topic}/${partition}`, Number(offset)]));
      for (const { topic, partition, done, failed } of group) {
        const place = `${topic}/${partition}`;
        const offset = next.get(place);
        if (offset === undefined) failed(unavailable(`the brokers did not say where ${place} stands`));
        else done(offset);
        next.set(place, (offset ?? 0) + 1);
      }
      this.#options.onAnswer?.((performance.now() - began) / 1000);
      for (const [topic, sent] of Map.groupBy(group, (item) => item.topic))
        this.#options.onSent?.(topic, sent.length, bytesOf(sent));
    } catch (error) {
      // What it knows of leaders and of its own sequence may be of another time.
      const client = this.#client;
      this.#client = null;
      void client?.close().catch(() => undefined);
      const isGone = isOtherTopic(error) || hasCode(error, 'PLT_KFK_USER');
      const reason = isGone
        ? unavailable('the topic is not there', error)
        : fromKafka(error, 'the brokers took nothing');
      for (const { failed } of group) failed(reason);
    }
  }

  #create(): Producer<Buffer, Buffer, Buffer, Buffer> {
    return new Producer<Buffer, Buffer, Buffer, Buffer>({
      ...clientOptions(this.#cluster.options),
      clientId: this.#cluster.options.clientId ?? 'pulse',
      bootstrapBrokers: [...this.#cluster.options.brokers],
      idempotent: true,
      retries: 4,
      retryDelay: 250,
      autocreateTopics: false,
    });
  }
}
