import { randomBytes } from 'node:crypto';
import { createTopicsV7, Producer } from '@platformatic/kafka';
import { AppError } from '../contract/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { clientOptions, type KafkaCluster } from './kafka-cluster.ts';
import { codeName, hasCode, unreachable } from './kafka-errors.ts';
import { readRange } from './kafka-reader.ts';
import { type TopicName, topics } from './port.ts';

/** One incarnation of a topic: made anew under the same name it has another epoch, and offsets above all that were given out before. */
export interface KafkaTopic {
  readonly topic: TopicName;
  /** Name on the broker. */
  readonly name: string;
  readonly id: string;
  readonly epoch: string;
  /** The port's offset of the broker's offset 0. */
  readonly base: number;
  readonly partitions: number;
}

export interface KafkaTopicOptions {
  readonly prefix: string;
  /** Partitions of `telemetry` when it is made; the other topics have the port's number. */
  readonly partitions: number;
  /** Default: three, or the number of brokers when there are fewer. */
  readonly replication?: number;
  readonly retentionMs: number;
}

/** A record of 4 MiB and what the broker adds. */
const recordBytesMax = 4 * 1024 * 1024 + 128 * 1024;
/** Offsets begin at the seconds since this instant, times `offsetsPerSecond`: higher than any that an earlier incarnation has given out, whatever of it is still known. *Units* ms. */
const originMs = Date.UTC(2026, 0, 1);
/** No partition takes more records a second; 2^53 is reached after 68 years. */
const offsetsPerSecond = 2 ** 22;
/** Distance to the last incarnation when the clock has gone back since. */
const offsetsApart = 2 ** 36;

/** How long the topic is taken for the one it was. */
const freshMs = 2000;

interface EpochRecord {
  readonly format: 1;
  readonly topic: string;
  readonly id: string;
  readonly epoch: string;
  readonly base: number;
}

/** Makes the topics and knows which incarnation of each is there. */
export class KafkaTopics {
  readonly #cluster: KafkaCluster;
  readonly #options: KafkaTopicOptions;
  readonly #clock: Clock;
  readonly #known = new Map<TopicName, KafkaTopic>();
  readonly #seenAt = new Map<TopicName, number>();
  readonly #opening = new Map<TopicName, Promise<KafkaTopic>>();

  constructor(cluster: KafkaCluster, options: KafkaTopicOptions, clock: Clock) {
    this.#cluster = cluster;
    this.#options = options;
    this.#clock = clock;
  }

  nameOf(topic: TopicName): string {
    return this.#options.prefix + topic;
  }

  /** The incarnation last seen. */
  known(topic: TopicName): KafkaTopic | undefined {
    return this.#known.get(topic);
  }

  /** The incarnation that is there now, as seen two seconds ago at most; makes the topic and its epoch when there is none. */
  async current(topic: TopicName, fresh = false): Promise<KafkaTopic> {
    const known = this.#known.get(topic);
    const age = performance.now() - (this.#seenAt.get(topic) ?? Number.NEGATIVE_INFINITY);
    if (known !== undefined && !fresh && age < freshMs) return known;
    const running = this.#opening.get(topic);
    if (running !== undefined) return running;
    const opening = this.#cluster.retrying(() => this.#open(topic)).finally(() => this.#opening.delete(topic));
    this.#opening.set(topic, opening);
    const opened = await opening;
    this.#seenAt.set(topic, performance.now());
    return opened;
  }

  async #open(topic: TopicName): Promise<KafkaTopic> {
    const name = this.nameOf(topic);
    const partitions = topic === 'telemetry' ? this.#options.partitions : topics[topic].partitions;
    const layout = await this.#ensure(name, partitions, {
      'retention.ms': String(this.#options.retentionMs),
      'max.message.bytes': String(recordBytesMax),
      'cleanup.policy': 'delete',
      'unclean.leader.election.enable': 'false',
    });
    const known = this.#known.get(topic);
    if (known?.id === layout.id) return known;
    const { epoch, base } = await this.#epoch(name, layout.id);
    const opened = { topic, name, id: layout.id, epoch, base, partitions: layout.leaders.length };
    this.#known.set(topic, opened);
    return opened;
  }

  /** The record of this incarnation: the first one written counts, so that processes that start together agree. */
  async #epoch(name: string, id: string): Promise<EpochRecord> {
    const control = `${this.#options.prefix}log`;
    await this.#ensure(control, 1, { 'retention.ms': '-1', 'retention.bytes': '-1', 'cleanup.policy': 'delete' });
    const before = (await this.#records(control)).filter(({ topic }) => topic === name);
    const found = before.find((record) => record.id === id);
    if (found !== undefined) return found;
    const byTime = Math.floor((this.#clock.now() - originMs) / 1000) * offsetsPerSecond;
    const highest = Math.max(-1, ...before.map((record) => record.base));
    const base = byTime > highest ? Math.max(0, byTime) : highest + offsetsApart;
    const made: EpochRecord = { format: 1, topic: name, id, epoch: randomBytes(8).toString('hex'), base };
    await this.#write(control, made);
    const first = (await this.#records(control)).find((record) => record.topic === name && record.id === id);
    if (first === undefined) throw unreachable(`the epoch of ${name} cannot be read back yet`);
    return first;
  }

  async #records(control: string): Promise<EpochRecord[]> {
    const layout = await this.#cluster.layout(control);
    if (layout === null) throw unreachable(`${control} is not there`);
    const place = { topic: 'telemetry' as const, partition: 0, base: 0 };
    const found: EpochRecord[] = [];
    for await (const record of readRange(
      this.#cluster,
      { name: control, id: layout.id, place },
      0,
      Number.MAX_SAFE_INTEGER,
    ))
      found.push(parseEpoch(control, record.payload));
    return found;
  }

  async #write(control: string, record: EpochRecord): Promise<void> {
    const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
      ...clientOptions(this.#cluster.options),
      clientId: this.#cluster.options.clientId ?? 'pulse',
      bootstrapBrokers: [...this.#cluster.options.brokers],
      idempotent: true,
      retries: 5,
      autocreateTopics: false,
    });
    try {
      const value = Buffer.from(JSON.stringify(record));
      await producer.send({
        messages: [{ topic: control, partition: 0, key: Buffer.from(`${record.topic}/${record.id}`), value }],
      });
    } finally {
      await producer.close();
    }
  }

  async #ensure(name: string, partitions: number, configs: Readonly<Record<string, string>>) {
    const layout = await this.#cluster.layout(name, true);
    if (layout !== null) return this.#led(name, layout);
    await this.#cluster.ping();
    const replication = this.#options.replication ?? Math.min(3, Math.max(1, this.#cluster.brokerCount));
    const request = {
      name,
      numPartitions: partitions,
      replicationFactor: replication,
      assignments: [],
      configs: Object.entries({ ...configs, 'min.insync.replicas': String(Math.max(1, replication - 1)) }).map(
        ([key, value]) => ({ name: key, value }),
      ),
    };
    try {
      await this.#cluster.call('control', 'any', (connection) =>
        createTopicsV7.api.async(connection, [request], 10_000, false),
      );
    } catch (error) {
      if (hasCode(error, 'INVALID_REPLICATION_FACTOR'))
        throw unreachable(`topic ${name} wants ${replication} replicas, and not so many brokers are there`, error);
      if (!hasCode(error, 'TOPIC_ALREADY_EXISTS')) throw error;
    }
    const made = await this.#cluster.layout(name, true);
    if (made === null) throw unreachable(`topic ${name} has been made and is not to be seen yet`);
    return this.#led(name, made);
  }

  #led(name: string, layout: { readonly id: string; readonly leaders: readonly number[] }) {
    if (layout.leaders.length === 0 || layout.leaders.some((leader) => leader < 0))
      throw unreachable(`topic ${name} has a partition without a leader (${codeName(5)})`);
    return layout;
  }
}

function parseEpoch(control: string, payload: Uint8Array): EpochRecord {
  let value: Partial<EpochRecord> | null = null;
  try {
    value = JSON.parse(Buffer.from(payload).toString('utf8')) as Partial<EpochRecord> | null;
  } catch {
    // falls through to the coded error
  }
  const { format, topic, id, epoch, base } = value ?? {};
  if (format !== 1 || topic === undefined || id === undefined || epoch === undefined || base === undefined)
    throw new AppError('log.newer_format', `${control} holds a record that this version cannot read`, {
      context: { topic: control },
    });
  return { format, topic, id, epoch, base };
}
