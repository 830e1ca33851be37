import { deleteRecordsV2, listGroupsV4 } from '@platformatic/kafka';
import { AppError } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Backoff, checkLimits, defaultBackoff } from './embedded-consumer.ts';
import type { LogLogger, LogObserver } from './environment.ts';
import { checkPartition, KafkaCluster, type KafkaConnectionOptions } from './kafka-cluster.ts';
import { KafkaConsumer, parsePosition } from './kafka-consumer.ts';
import { fromKafka, isTransient } from './kafka-errors.ts';
import { readPositions } from './kafka-group.ts';
import { KafkaProducer } from './kafka-producer.ts';
import { offsetGone, rangesOf, readRange } from './kafka-reader.ts';
import { prepareRecord } from './kafka-record.ts';
import { type KafkaTopic, KafkaTopics } from './kafka-topics.ts';
import { unavailable } from './log-errors.ts';
import { partitionOf } from './partitioner.ts';
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
import { checkGroup } from './positions.ts';

/** Settings of the log on Kafka. Only `connection` and `clock` are needed. */
export interface KafkaLogOptions {
  readonly connection: KafkaConnectionOptions;
  readonly clock: Clock;
  /** Before the names of topics and groups. Default `pulse.`. */
  readonly prefix?: string;
  /** Partitions of `telemetry` when it is made. Default 12. */
  readonly partitions?: number;
  readonly replication?: number;
  readonly retentionDays?: number;
  /** Bytes that may wait for the brokers before appends are refused. Default 64 MiB. */
  readonly queueBytes?: number;
  /** After this long without a heartbeat a consumer's partitions go to others. Default 10 s. */
  readonly sessionMs?: number;
  /** How long a rebalance waits for batches in hand. Default 60 s. */
  readonly rebalanceMs?: number;
  readonly logger?: LogLogger;
  readonly observer?: LogObserver;
  readonly backoff?: Backoff;
}

/** What the log can tell about itself at any moment. */
export interface KafkaLogStatus {
  readonly started: boolean;
  /** Null while the brokers answer, else why they do not. */
  readonly away: string | null;
  readonly queueBytes: number;
  /** Partitions that this process has now, by group. */
  readonly owned: readonly { readonly topic: TopicName; readonly group: string; readonly partitions: number }[];
}

/** The Kafka adapter: the port and its own status. */
export interface KafkaLog extends Log {
  status(): KafkaLogStatus;
  /** Lag of the groups that this process reads for, by partition. *Errors* `log.unavailable`. */
  lag(): Promise<readonly { topic: TopicName; partition: number; group: string; records: number }[]>;
  /** Asks the brokers whether they are there, and makes what is missing on them. *Errors* `log.unavailable`. */
  probe(): Promise<void>;
  /** Ends every connection at once and leaves no group: what a crash does to the brokers. */
  sever(): Promise<void>;
}

const topicNames = Object.keys(topics) as TopicName[];
const dayMs = 86_400_000;

/** The durable log on Kafka. Does no I/O before `start`. */
export function createKafkaLog(options: KafkaLogOptions): KafkaLog {
  return new BrokerLog(options);
}

class BrokerLog implements KafkaLog {
  readonly isShared = true;
  readonly #options: KafkaLogOptions;
  readonly #prefix: string;
  readonly #consumers = new Map<
    Consumer,
    { readonly topic: TopicName; readonly group: string; readonly inner: KafkaConsumer }
  >();
  readonly #claims = new Set<string>();
  #cluster: KafkaCluster;
  #topics: KafkaTopics;
  #producer: KafkaProducer;
  #running = false;
  #away: string | null = 'not asked yet';

  constructor(options: KafkaLogOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? 'pulse.';
    [this.#cluster, this.#topics, this.#producer] = this.#open();
  }

  #open(): [KafkaCluster, KafkaTopics, KafkaProducer] {
    const {
      connection,
      clock,
      partitions = 12,
      replication,
      retentionDays = 100,
      queueBytes,
      observer,
    } = this.#options;
    const cluster = new KafkaCluster(connection);
    const layout = {
      prefix: this.#prefix,
      partitions,
      retentionMs: retentionDays * dayMs,
      ...(replication === undefined ? {} : { replication }),
    };
    const producer = new KafkaProducer(cluster, {
      queueBytes: queueBytes ?? 64 * 1024 * 1024,
      onSent: (name, records, bytes) => {
        const topic = topicNames.find((one) => this.#prefix + one === name);
        if (topic !== undefined) observer?.appended(topic, records, bytes);
      },
      onAnswer: (seconds) => observer?.synced(seconds),
    });
    return [cluster, new KafkaTopics(cluster, layout, clock), producer];
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.probe();
    } catch (error) {
      // Whoever appends or consumes asks again; a setting that cannot work shows in readiness.
      this.#options.logger?.warn({ err: error }, 'log: the brokers cannot be reached yet');
    }
  }

  async probe(): Promise<void> {
    await this.#asking('opening the topics', async () => {
      for (const topic of topicNames) await this.#topics.current(topic, true);
    });
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    // Consumers first: the batch in hand may still need the log.
    await Promise.all([...this.#consumers.keys()].map((consumer) => consumer.stop()));
    this.#running = false;
    await this.#producer.close();
    await this.#cluster.close();
  }

  async sever(): Promise<void> {
    this.#running = false;
    await this.#producer.sever();
    await this.#cluster.close();
  }

  async append(topic: TopicName, messages: readonly LogMessage[]): Promise<LogPosition[]> {
    this.#check();
    const appendedAt = Math.floor(this.#options.clock.now());
    const prepared = messages.map((message, index) => prepareRecord(message, index, appendedAt));
    this.#producer.checkRoom(prepared);
    return this.#asking('appending', async () => {
      const { name, base, partitions } = await this.#appendedTo(topic);
      const records = prepared.map((record) => ({ record, partition: partitionOf(record.key, partitions) }));
      try {
        const offsets = await this.#producer.send(name, records);
        return records.map(({ partition }, index) => ({ partition, offset: base + (offsets[index] ?? 0) }));
      } catch (error) {
        // The next one finds out whether the topic is still the same.
        void this.#topics.current(topic, true).catch(() => undefined);
        throw error;
      }
    });
  }

  /** What is known of the topic; it is looked at behind the back of whoever appends. */
  async #appendedTo(topic: TopicName): Promise<KafkaTopic> {
    const current = this.#topics.current(topic);
    const known = this.#topics.known(topic);
    if (known === undefined) return current;
    current.catch(() => undefined);
    return known;
  }

  consumer(options: ConsumerOptions): Consumer {
    const { topic } = options;
    const group = checkGroup(options.group);
    checkLimits(options);
    const claim = `${topic}/${group}`;
    let running: KafkaConsumer | null = null;
    const consumer: Consumer = {
      start: async () => {
        if (running !== null) return;
        this.#check();
        if (this.#claims.has(claim))
          throw new AppError('log.consumer_exists', `group ${group} already reads ${topic} in this process`, {
            status: 409,
            field: 'group',
          });
        this.#claims.add(claim);
        running = new KafkaConsumer(
          {
            cluster: this.#cluster,
            topics: this.#topics,
            group: this.#groupName(topic, group),
            sessionMs: this.#options.sessionMs ?? 10_000,
            rebalanceMs: this.#options.rebalanceMs ?? 60_000,
            backoff: this.#options.backoff ?? defaultBackoff,
          },
          options,
        );
        this.#consumers.set(consumer, { topic, group, inner: running });
        running.start();
      },
      stop: async () => {
        await running?.stop();
        if (running !== null) this.#claims.delete(claim);
        running = null;
        this.#consumers.delete(consumer);
      },
      lag: async () => (await this.#lagOf(topic, group)).reduce((sum, { records }) => sum + records, 0),
    };
    return consumer;
  }

  async lag() {
    const all = await Promise.all([...this.#consumers.values()].map(({ topic, group }) => this.#lagOf(topic, group)));
    return all.flat();
  }

  async #lagOf(topic: TopicName, group: string) {
    // The positions first: what is committed meanwhile makes the lag larger, never negative.
    const committed = await this.committed(topic, group);
    const ends = new Map((await this.offsets(topic)).map(({ partition, next }) => [partition, next]));
    return committed.map(({ partition, next }) => ({
      topic,
      partition,
      group,
      records: Math.max(0, (ends.get(partition) ?? next) - next),
    }));
  }

  async *read(topic: TopicName, partition: number, from: number, to: number): AsyncIterable<LogRecord> {
    const current = await this.#current(topic);
    checkPartition(current.name, partition, current.partitions);
    const { base, name } = current;
    if (from < base && to > from) throw offsetGone(name, partition, from);
    const place = { topic, base, partition };
    try {
      yield* readRange(this.#cluster, { ...current, place }, from - base, to - base);
    } catch (error) {
      throw fromKafka(error, `reading ${name}`);
    }
  }

  epoch(): string {
    const telemetry = this.#topics.known('telemetry');
    if (telemetry === undefined) throw unavailable('the brokers have not been reached yet');
    return telemetry.epoch;
  }

  async offsets(topic: TopicName): Promise<readonly { partition: number; first: number; next: number }[]> {
    const { base, name } = await this.#current(topic);
    const ranges = await this.#asking('asking for offsets', () => rangesOf(this.#cluster, name));
    return ranges.map(({ partition, first, next }) => ({ partition, first: base + first, next: base + next }));
  }

  async committed(topic: TopicName, group: string): Promise<readonly { partition: number; next: number }[]> {
    const current = await this.#current(topic);
    const ranges = await this.#asking('asking for offsets', () => rangesOf(this.#cluster, current.name));
    const stands = await this.#positions(current, this.#groupName(topic, checkGroup(group)));
    return ranges.map(({ partition, first }) => {
      const at = stands[partition] ?? { offset: null, metadata: '' };
      return { partition, next: current.base + parsePosition(current.epoch, first, at).committed };
    });
  }

  /** One group at the broker reads one topic: the members of a group are dealt the same partitions. */
  #groupName(topic: TopicName, group: string): string {
    return `${this.#prefix}${topic}.${group}`;
  }

  async #positions({ name, partitions }: KafkaTopic, group: string) {
    const numbers = Array.from({ length: partitions }, (_, partition) => partition);
    return this.#asking('asking for positions', () =>
      this.#cluster.retrying(() => readPositions(this.#cluster, group, name, numbers)),
    );
  }

  /** *Bias* the broker frees segments in its own time and does not say how many bytes: always 0. */
  async retain(topic: TopicName, partition: number, before: number): Promise<number> {
    const current = await this.#current(topic);
    checkPartition(current.name, partition, current.partitions);
    const range = (await rangesOf(this.#cluster, current.name))[partition] ?? { first: 0, next: 0 };
    // The newest record stays, as it does in segments.
    let upTo = Math.min(before - current.base, range.next - 1);
    for (const group of await this.#groups()) {
      const at = (await this.#positions(current, group))[partition];
      // A group that has committed nothing of this topic begins at its first record whenever it comes.
      if (at === undefined || at.offset === null) continue;
      upTo = Math.min(upTo, parsePosition(current.epoch, range.first, at).committed);
    }
    if (upTo <= range.first) return 0;
    await this.#asking('dropping records', async () => {
      const layout = await this.#cluster.layout(current.name);
      const partitions = [{ partitionIndex: partition, offset: BigInt(upTo) }];
      await this.#cluster.call('control', { node: layout?.leaders[partition] ?? -1 }, (connection) =>
        deleteRecordsV2.api.async(connection, [{ name: current.name, partitions }], 10_000),
      );
    });
    return 0;
  }

  async #groups(): Promise<string[]> {
    const response = await this.#asking('asking for groups', () =>
      this.#cluster.call('control', 'any', (connection) => listGroupsV4.api.async(connection, [], [])),
    );
    return response.groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(this.#prefix));
  }

  status(): KafkaLogStatus {
    const owned = [...this.#consumers.values()].map(({ topic, group, inner }) => ({
      topic,
      group,
      partitions: inner.owned.length,
    }));
    return { started: this.#running, away: this.#away, queueBytes: this.#producer.queueBytes, owned };
  }

  async #current(topic: TopicName): Promise<KafkaTopic> {
    this.#check();
    return this.#asking(`opening ${topic}`, () => this.#topics.current(topic));
  }

  async #asking<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      const answer = await work();
      this.#away = null;
      return answer;
    } catch (error) {
      const translated = fromKafka(error, doing);
      if (isTransient(translated)) this.#away = translated.message;
      throw translated;
    }
  }

  #check(): void {
    if (!this.#running) throw unavailable('it is not running');
  }
}
