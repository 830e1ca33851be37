import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { type Connection, ConnectionPool, findCoordinatorV4, metadataV12 } from '@platformatic/kafka';
import { AppError } from '../contract/index.ts';
import { hasCode, isTransient, unreachable } from './kafka-errors.ts';

export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

/** How to reach the brokers. */
export interface KafkaConnectionOptions {
  /** `host:port` of brokers to begin with. */
  readonly brokers: readonly string[];
  readonly tls?: TlsOptions;
  readonly sasl?: {
    readonly mechanism: (typeof saslMechanisms)[number];
    readonly username: string;
    readonly password: () => string;
  };
  readonly clientId?: string;
  readonly requestTimeoutMs?: number;
}

export interface KafkaTopicLayout {
  /** The broker's own id of this incarnation of the topic. */
  readonly id: string;
  /** Node of the leader by partition; -1 while there is none. */
  readonly leaders: readonly number[];
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Whom a request goes to. */
export type Target = { readonly node: number } | { readonly coordinatorOf: string } | 'any';

const connectTimeoutMs = 3000;
export const defaultRequestTimeoutMs = 10_000;

/** What every client of the library is given. */
export function clientOptions(options: KafkaConnectionOptions) {
  return {
    connectTimeout: connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs ?? defaultRequestTimeoutMs,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
  };
}

/** The brokers as Pulse asks them: connections by purpose, the layout of topics, the coordinators of groups. */
export class KafkaCluster {
  readonly #options: KafkaConnectionOptions;
  readonly #pools = new Map<string, ConnectionPool>();
  readonly #topics = new Map<string, KafkaTopicLayout>();
  readonly #coordinators = new Map<string, Address>();
  #brokers = new Map<number, Address>();
  #closed = false;

  constructor(options: KafkaConnectionOptions) {
    this.#options = options;
  }

  get options(): KafkaConnectionOptions {
    return this.#options;
  }
  get brokerCount(): number {
    return this.#brokers.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    this.#pools.clear();
  }

  /**
   * Sends a request once. A request that is not answered in time closes its connection: what would come late must not be taken for the answer of the next one.
   *
   * *Shape* requests on a connection wait for each other, so each `purpose` that may wait long has connections of its own.
   */
  async call<T>(
    purpose: string,
    target: Target,
    request: (connection: Connection) => Promise<T>,
    timeoutMs = this.#options.requestTimeoutMs ?? defaultRequestTimeoutMs,
  ): Promise<T> {
    const connection = await this.#connect(purpose, target);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unreachable(`no answer within ${timeoutMs} ms`)), timeoutMs);
    });
    const answer = request(connection);
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      if (!hasCode(error, 'PLT_KFK_RESPONSE')) void connection.close().catch(() => undefined);
      answer.catch(() => undefined);
      this.forget(target);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Repeats a request while its failure may pass, for at most `withinMs`, which covers a broker's restart and a leader's move. */
  async retrying<T>(work: () => Promise<T>, withinMs = 5000): Promise<T> {
    const until = performance.now() + withinMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (this.#closed || !isTransient(error) || performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.min(1000, 50 * 2 ** attempt)));
      }
    }
  }

  /** What is known of whom to ask is asked anew. */
  forget(target: Target): void {
    if (target === 'any') return;
    if ('coordinatorOf' in target) this.#coordinators.delete(target.coordinatorOf);
    else this.#topics.clear();
  }

  /** Layout of a topic, null when there is none. */
  async layout(name: string, fresh = false): Promise<KafkaTopicLayout | null> {
    const known = this.#topics.get(name);
    if (known !== undefined && !fresh) return known;
    let response: Awaited<ReturnType<typeof metadataV12.api.async>>;
    try {
      response = await this.call('control', 'any', (connection) =>
        metadataV12.api.async(connection, [name], false, false),
      );
    } catch (error) {
      if (!hasCode(error, 'UNKNOWN_TOPIC_OR_PARTITION')) throw error;
      this.#topics.delete(name);
      return null;
    }
    this.#brokers = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const topic = response.topics.find((found) => found.name === name);
    if (topic === undefined) return null;
    const leaders: number[] = [];
    for (const { partitionIndex, leaderId } of topic.partitions) leaders[partitionIndex] = leaderId;
    const layout = { id: topic.topicId, leaders };
    this.#topics.set(name, layout);
    return layout;
  }

  /** Asks for the brokers alone. *Errors* those of the connection: nobody is reachable. */
  async ping(): Promise<void> {
    const response = await this.call('control', 'any', (connection) =>
      metadataV12.api.async(connection, [], false, false),
    );
    this.#brokers = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
  }

  async #connect(purpose: string, target: Target): Promise<Connection> {
    if (this.#closed) throw unreachable('the client is closed');
    const pool = this.#pool(purpose);
    if (target === 'any') {
      const first = this.#options.brokers.map((broker) => {
        const [host = '', port = '9092'] = broker.split(/:(?=\d+$)/);
        return { host, port: Number(port) };
      });
      return pool.getFirstAvailable([...first, ...this.#brokers.values()]);
    }
    if ('coordinatorOf' in target) return pool.get(await this.#coordinator(target.coordinatorOf));
    const broker = this.#brokers.get(target.node);
    if (broker === undefined) throw unreachable(`broker ${target.node} is not there`);
    return pool.get(broker);
  }

  async #coordinator(group: string): Promise<Address> {
    const known = this.#coordinators.get(group);
    if (known !== undefined) return known;
    const groupKey = 0;
    const { coordinators } = await this.call('control', 'any', (connection) =>
      findCoordinatorV4.api.async(connection, groupKey, [group]),
    );
    const found = coordinators[0];
    if (found === undefined || found.errorCode !== 0) throw unreachable('the group has no coordinator yet');
    const address = { host: found.host, port: found.port };
    this.#coordinators.set(group, address);
    return address;
  }

  #pool(purpose: string): ConnectionPool {
    const known = this.#pools.get(purpose);
    if (known !== undefined) return known;
    const pool = new ConnectionPool(this.#options.clientId ?? 'pulse', {
      ...clientOptions(this.#options),
      // Ours comes first, so that the connection is closed with it.
      requestTimeout: 600_000,
    });
    // An error between requests has nobody else to hear it; the next request finds the connection closed.
    pool.on('connecting', ({ connection }) => connection.on('error', () => undefined));
    this.#pools.set(purpose, pool);
    return pool;
  }
}

/** *Errors* `log.partition_unknown`. */
export function checkPartition(name: string, partition: number, partitions: number): void {
  if (partition >= 0 && partition < partitions) return;
  throw new AppError('log.partition_unknown', `topic ${name} has no partition ${partition}`, {
    status: 400,
    field: 'partition',
  });
}
