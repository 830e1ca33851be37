import { AppError, invariant } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Backoff, checkLimits, defaultBackoff, EmbeddedConsumer } from './embedded-consumer.ts';
import type { LogEnvironment, LogLogger, LogObserver } from './environment.ts';
import { openEpoch } from './epoch.ts';
import { type LogFileSystem, nodeFileSystem } from './file-system.ts';
import { frameBytes, keyBytesMax, messageBytesMax, type PreparedMessage } from './frame.ts';
import { unavailable } from './log-errors.ts';
import { Partition } from './partition.ts';
import { partitionOf } from './partitioner.ts';
import { packPayload } from './payload-compression.ts';
import {
  type Consumer,
  type ConsumerOptions,
  type Log,
  type LogMessage,
  type LogPosition,
  type LogRecord,
  type TopicName,
  topics,
} from './port.ts';
import { checkGroup, type PositionFile, Positions } from './positions.ts';

/** Settings of the embedded log. Only `dir` and `clock` are needed; the rest has defaults or is there for tests. */
export interface EmbeddedLogOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Size at which a segment is closed, bytes. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** Bytes that may wait for the disk before appends are refused. Default 64 MiB. */
  readonly queueBytes?: number;
  /** Bytes of the newest records that each partition keeps in memory for readers that follow closely. Default 0: every read is from disk. */
  readonly recentBytes?: number;
  readonly logger?: LogLogger;
  readonly observer?: LogObserver;
  readonly backoff?: Backoff;
  readonly fs?: LogFileSystem;
}

/** What the log can tell about itself at any moment. */
export interface EmbeddedLogStatus {
  readonly started: boolean;
  /** Partitions whose last write failed and that have not been repaired yet, as `topic/number`. */
  readonly damaged: readonly string[];
  readonly queueBytes: number;
  readonly lag: readonly {
    readonly topic: TopicName;
    readonly partition: number;
    readonly group: string;
    readonly records: number;
  }[];
}

/** The embedded adapter: the port and its own status. */
export interface EmbeddedLog extends Log {
  status(): EmbeddedLogStatus;
}

const mebibyte = 1024 * 1024;
const topicNames = Object.keys(topics) as TopicName[];
const silent: LogLogger = { warn: () => undefined, error: () => undefined };
const unobserved: LogObserver = { appended: () => undefined, synced: () => undefined, trimmed: () => undefined };

/** The durable log as append-only segment files in one directory. Does no I/O before `start`. */
export function createEmbeddedLog(options: EmbeddedLogOptions): EmbeddedLog {
  return new SegmentLog(options);
}

class SegmentLog implements EmbeddedLog {
  readonly #options: EmbeddedLogOptions;
  readonly #environment: LogEnvironment;
  readonly #queueBytesMax: number;
  readonly #consumers = new Set<Consumer>();
  readonly #claims = new Set<string>();
  #partitions = new Map<TopicName, readonly Partition[]>();
  #positions: Positions | null = null;
  #epoch: string | null = null;
  #running = false;
  #queueBytes = 0;

  constructor(options: EmbeddedLogOptions) {
    const segmentBytes = options.segmentBytes ?? 64 * mebibyte;
    // Positions within a segment travel as u32.
    invariant(segmentBytes > 0 && segmentBytes <= 2048 * mebibyte, 'segmentBytes is between 1 byte and 2 GiB');
    this.#options = options;
    this.#queueBytesMax = options.queueBytes ?? 64 * mebibyte;
    this.#environment = {
      directory: options.dir,
      segmentBytes,
      fs: options.fs ?? nodeFileSystem,
      logger: options.logger ?? silent,
      observer: options.observer ?? unobserved,
      recentBytes: options.recentBytes ?? 0,
    };
  }

  async start(): Promise<void> {
    if (this.#running) return;
    const epoch = await openEpoch(this.#environment.fs, this.#options.dir);
    const positions = new Positions(this.#environment, epoch);
    const partitions = new Map<TopicName, readonly Partition[]>();
    const opened: { close(): Promise<void> }[] = [positions];
    try {
      for (const topic of topicNames) {
        await this.#refuseOtherPartitions(topic);
        const list = Array.from(
          { length: topics[topic].partitions },
          (_, number) => new Partition(this.#environment, topic, number, epoch),
        );
        partitions.set(topic, list);
        for (const partition of list) {
          opened.push(partition);
          await partition.open();
        }
        await this.#environment.fs.syncDirectory(`${this.#options.dir}/${topic}`);
      }
      await positions.open();
      await this.#environment.fs.syncDirectory(this.#options.dir);
    } catch (error) {
      for (const part of opened) await part.close().catch(() => undefined);
      throw error;
    }
    this.#epoch = epoch;
    this.#positions = positions;
    this.#partitions = partitions;
    this.#running = true;
  }

  /** Fewer partitions than the data has would hide records and send a key elsewhere. */
  async #refuseOtherPartitions(topic: TopicName): Promise<void> {
    const { partitions } = topics[topic];
    const found = (await this.#environment.fs.list(`${this.#options.dir}/${topic}`)).length;
    if (found > partitions)
      throw new AppError(
        'log.partitions_changed',
        `topic ${topic} has ${found} partitions on disk, this version expects ${partitions}`,
        {
          context: { topic, found, expected: partitions },
        },
      );
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    // Consumers first: the batch in hand may still need the log.
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop()));
    this.#running = false;
    for (const partition of [...this.#partitions.values()].flat()) await partition.close();
    await this.#positions?.close();
  }

  async append(topic: TopicName, messages: readonly LogMessage[]): Promise<LogPosition[]> {
    const partitions = this.#open(topic);
    const appendedAt = this.#options.clock.now();
    const prepared = messages.map((message, index) => prepare(message, index, appendedAt));
    const bytes = prepared.reduce((sum, message) => sum + frameBytes(message), 0);
    if (bytes > this.#queueBytesMax)
      throw tooLarge('messages', `${bytes} bytes in one call, at most ${this.#queueBytesMax} may wait`);
    if (this.#queueBytes + bytes > this.#queueBytesMax) throw unavailable('the queue to the disk is full');
    const numbers = prepared.map((message) => partitionOf(message.key, partitions.length));
    this.#queueBytes += bytes;
    try {
      return await this.#appendTo(partitions, prepared, numbers);
    } finally {
      this.#queueBytes -= bytes;
    }
  }

  /** Hands each partition its messages in one piece and waits for all of them, also when one fails. */
  async #appendTo(
    partitions: readonly Partition[],
    messages: readonly PreparedMessage[],
    numbers: readonly number[],
  ): Promise<LogPosition[]> {
    const wanted = partitions.filter((partition) => numbers.includes(partition.number));
    const settled = await Promise.allSettled(
      wanted.map((partition) => partition.append(messages.filter((_, index) => numbers[index] === partition.number))),
    );
    const next = new Map<number, number>();
    for (const [index, outcome] of settled.entries()) {
      if (outcome.status === 'rejected') throw outcome.reason;
      next.set(wanted[index]?.number ?? 0, outcome.value);
    }
    return numbers.map((partition) => {
      const offset = next.get(partition) ?? 0;
      next.set(partition, offset + 1);
      return { partition, offset };
    });
  }

  consumer(options: ConsumerOptions): Consumer {
    const { topic } = options;
    const group = checkGroup(options.group);
    checkLimits(options);
    const inner = () =>
      new EmbeddedConsumer(
        {
          epoch: this.epoch(),
          backoff: this.#options.backoff ?? defaultBackoff,
          partitions: this.#open(topic),
          claim: (partition) => this.#claim(partition, group),
          release: (partition) => this.#claims.delete(claimName(partition, group)),
        },
        options,
      );
    return this.#registered(inner, () => this.#lag(topic, group));
  }

  /** A consumer is made when it starts, so that it can be declared before the log has started. */
  #registered(create: () => EmbeddedConsumer, lag: () => Promise<number>): Consumer {
    let running: EmbeddedConsumer | null = null;
    const consumer: Consumer = {
      start: async () => {
        if (running !== null) return;
        running = create();
        try {
          await running.start();
        } catch (error) {
          running = null;
          throw error;
        }
        this.#consumers.add(consumer);
      },
      stop: async () => {
        await running?.stop();
        running = null;
        this.#consumers.delete(consumer);
      },
      lag,
    };
    return consumer;
  }

  async #lag(topic: TopicName, group: string): Promise<number> {
    const committed = await this.committed(topic, group);
    return this.#open(topic).reduce((sum, { number, next }) => sum + next - (committed[number]?.next ?? 0), 0);
  }

  async #claim(partition: Partition, group: string): Promise<PositionFile> {
    const name = claimName(partition, group);
    if (this.#claims.has(name))
      throw new AppError('log.consumer_exists', `group ${group} already reads ${partition.topic} in this process`, {
        status: 409,
        field: 'group',
      });
    this.#claims.add(name);
    try {
      return await this.#store().ensure(partition.topic, partition.number, group, partition.first);
    } catch (error) {
      this.#claims.delete(name);
      throw error;
    }
  }

  async *read(topic: TopicName, partition: number, from: number, to: number): AsyncIterable<LogRecord> {
    yield* this.#partition(topic, partition).read(from, to);
  }

  epoch(): string {
    if (this.#epoch === null) throw unavailable('it has not started');
    return this.#epoch;
  }

  async offsets(topic: TopicName): Promise<readonly { partition: number; first: number; next: number }[]> {
    return this.#open(topic).map(({ number, first, next }) => ({ partition: number, first, next }));
  }

  async committed(topic: TopicName, group: string): Promise<readonly { partition: number; next: number }[]> {
    const positions = this.#store();
    return this.#open(topic).map((partition) => ({
      partition: partition.number,
      next: positions.find(topic, partition.number, group)?.position.committed ?? partition.first,
    }));
  }

  async retain(topic: TopicName, partition: number, before: number): Promise<number> {
    const commits = this.#store()
      .of(topic, partition)
      .map(({ position }) => position.committed);
    return this.#partition(topic, partition).retain(Math.min(before, ...commits));
  }

  status(): EmbeddedLogStatus {
    const all = [...this.#partitions.values()].flat();
    return {
      started: this.#running,
      damaged: all.filter((partition) => !partition.healthy).map(({ topic, number }) => `${topic}/${number}`),
      queueBytes: this.#queueBytes,
      lag: all.flatMap((partition) =>
        (this.#positions?.of(partition.topic, partition.number) ?? []).map(({ group, position }) => ({
          topic: partition.topic,
          partition: partition.number,
          group,
          records: partition.next - position.committed,
        })),
      ),
    };
  }

  #open(topic: TopicName): readonly Partition[] {
    const partitions = this.#partitions.get(topic);
    if (!this.#running || partitions === undefined) throw unavailable('it is not running');
    return partitions;
  }

  #partition(topic: TopicName, number: number): Partition {
    const partition = this.#open(topic)[number];
    if (partition === undefined)
      throw new AppError('log.partition_unknown', `topic ${topic} has no partition ${number}`, {
        status: 400,
        field: 'partition',
      });
    return partition;
  }

  #store(): Positions {
    if (!this.#running || this.#positions === null) throw unavailable('it is not running');
    return this.#positions;
  }
}

function claimName(partition: Partition, group: string): string {
  return `${partition.topic}/${partition.number}/${group}`;
}

function prepare(message: LogMessage, index: number, appendedAt: number): PreparedMessage {
  const key = Buffer.from(message.key, 'utf8');
  const headers = Buffer.from(JSON.stringify(message.headers), 'utf8');
  const bytes = key.length + headers.length + message.payload.length;
  if (key.length > keyBytesMax) throw tooLarge(`messages[${index}].key`, `${key.length} bytes, at most ${keyBytesMax}`);
  if (bytes > messageBytesMax)
    throw tooLarge(`messages[${index}]`, `${bytes} bytes with key and headers, at most ${messageBytesMax}`);
  const packed = packPayload(message.payload, message.packed);
  const payloadBytes = message.payload.length;
  return { key, headers, payload: packed.bytes, compressed: packed.compressed, appendedAt, message, payloadBytes };
}

function tooLarge(field: string, detail: string): AppError {
  return new AppError('log.message_too_large', `the message is too large: ${detail}`, { status: 413, field });
}
