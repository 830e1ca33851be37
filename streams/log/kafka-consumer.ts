import { AppError } from '../contract/index.ts';
import { gatherBatch, lingerAfter, pause, recordBytes } from './batch-gather.ts';
import type { Backoff } from './embedded-consumer.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { fromKafka, isFenced } from './kafka-errors.ts';
import { KafkaFetcher, type PartitionBuffer } from './kafka-fetcher.ts';
import { commitPosition, GroupMember, type Membership, readPositions } from './kafka-group.ts';
import { rangesOf, readRange } from './kafka-reader.ts';
import type { KafkaTopic, KafkaTopics } from './kafka-topics.ts';
import { corrupt } from './log-errors.ts';
import type { ConsumerOptions, LogBatch, LogRecord } from './port.ts';

export interface KafkaConsumerParts {
  readonly cluster: KafkaCluster;
  readonly topics: KafkaTopics;
  /** Group name on the broker. */
  readonly group: string;
  readonly sessionMs: number;
  readonly rebalanceMs: number;
  readonly backoff: Backoff;
}

/** Where a group stands in a partition. Broker offsets. */
export interface PartitionState {
  readonly committed: number;
  readonly plan: { readonly first: number; readonly last: number } | null;
}

/** What a commit carries: whose offsets these are, and up to where a planned range goes. */
export const positionMetadata = (epoch: string, last: number | null): string => JSON.stringify({ epoch, last });

/** Reads what stands at the group. *Bias* what another incarnation of the topic left there counts as nothing: the group begins at `first`. */
export function parsePosition(
  epoch: string,
  first: number,
  stands: { readonly offset: number | null; readonly metadata: string },
): PartitionState {
  let value: { epoch?: unknown; last?: unknown } | null = null;
  try {
    value = JSON.parse(stands.metadata) as { epoch?: unknown; last?: unknown } | null;
  } catch {
    // Not written by Pulse.
  }
  if (stands.offset === null || value?.epoch !== epoch) return { committed: first, plan: null };
  const { offset } = stands;
  const plan = typeof value.last === 'number' ? { first: offset, last: value.last } : null;
  return { committed: offset, plan };
}

interface Loop {
  readonly stopping: AbortController;
  readonly done: Promise<void>;
}

/** Member of a group with one loop a partition that it owns: plan, handle, commit. Each loop holds at most one batch. */
export class KafkaConsumer {
  readonly #parts: KafkaConsumerParts;
  readonly #options: ConsumerOptions;
  readonly #member: GroupMember;
  readonly #loops = new Map<number, Loop>();
  #fetcher: KafkaFetcher | null = null;
  #owned: readonly number[] = [];
  /** Of whom `#owned` is: with another membership or topic it says nothing. */
  #ownedBy = '';

  constructor(parts: KafkaConsumerParts, options: ConsumerOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#member = new GroupMember(parts.cluster, {
      group: parts.group,
      topic: parts.topics.nameOf(options.topic),
      sessionMs: parts.sessionMs,
      rebalanceMs: parts.rebalanceMs,
      partitions: async () => (await parts.topics.current(options.topic, true)).partitions,
      assigned: (membership, partitions) => this.#assigned(membership, partitions),
      revoked: (lost) => this.#revoked(lost),
      onError: (error) => this.#report(fromKafka(error, `group ${parts.group}`), null),
    });
  }

  /** Partitions that this process has now. */
  get owned(): readonly number[] {
    return this.#owned;
  }

  start(): void {
    this.#member.start();
  }

  async stop(): Promise<void> {
    await this.#member.stop();
    this.#owned = [];
    await Promise.all([...this.#loops.values()].map(({ done }) => done));
  }

  async #assigned(membership: Membership, partitions: readonly number[]): Promise<void> {
    const topic = await this.#parts.topics.current(this.#options.topic, true);
    // A member that was given up gets another id, whenever that was.
    const ownedBy = `${topic.id}/${membership.memberId}`;
    const owned = ownedBy === this.#ownedBy ? this.#owned : [];
    const gained = partitions.filter((partition) => !owned.includes(partition));
    // Others may have had them meanwhile.
    if (gained.length > 0) this.#options.onAssigned?.(gained);
    this.#owned = partitions;
    this.#ownedBy = ownedBy;
    const fetcher = new KafkaFetcher(this.#parts.cluster, {
      topic,
      group: membership.group,
      onError: (error) => this.#report(error, null),
      onOtherTopic: () => this.#member.rejoin(),
    });
    this.#fetcher = fetcher;
    for (const partition of partitions) this.#begin({ topic, membership, fetcher }, partition);
  }

  #begin(owned: Owned, partition: number): void {
    // A handler that was given up at a rebalance may still run: never two of one partition in one process.
    const before = this.#loops.get(partition)?.done ?? Promise.resolve();
    const stopping = new AbortController();
    const loop = new PartitionLoop(this.#parts, this.#options, owned, partition, stopping.signal);
    const done = before.then(() => loop.run());
    this.#loops.set(partition, { stopping, done });
  }

  /** Waits for the batches in hand, unless they are lost or take longer than the coordinator waits. */
  async #revoked(lost: boolean): Promise<void> {
    for (const { stopping } of this.#loops.values()) stopping.abort();
    const fetcher = this.#fetcher?.stop();
    const done = Promise.all([...this.#loops.values()].map((loop) => loop.done));
    const patience = new AbortController();
    if (!lost) await Promise.race([done, pause(this.#parts.rebalanceMs * 0.8, patience.signal)]);
    patience.abort();
    await fetcher;
    const owned = this.#owned;
    if (lost) this.#owned = [];
    this.#options.onRevoked?.(owned);
  }

  #report(error: unknown, batch: LogBatch | null): void {
    try {
      this.#options.onError(error, batch);
    } catch {
      // A listener that fails must not stop the partition.
    }
  }
}

/** A partition's loop lives as long as one membership. */
interface Owned {
  readonly topic: KafkaTopic;
  readonly membership: Membership;
  readonly fetcher: KafkaFetcher;
}

class PartitionLoop {
  readonly #parts: KafkaConsumerParts;
  readonly #options: ConsumerOptions;
  readonly #owned: Owned;
  readonly #partition: number;
  readonly #stopping: AbortSignal;
  #state: PartitionState | null = null;
  #buffer: PartitionBuffer | null = null;

  constructor(
    parts: KafkaConsumerParts,
    options: ConsumerOptions,
    owned: Owned,
    partition: number,
    stopping: AbortSignal,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#owned = owned;
    this.#partition = partition;
    this.#stopping = stopping;
  }

  async run(): Promise<void> {
    let batch: LogBatch | null = null;
    let handled = false;
    let attempt = 0;
    let tookMs = 0;
    // A batch that is handled is committed also when the loop is to stop: what cannot be committed is over.
    while (!this.#stopping.aborted || handled) {
      try {
        batch ??= await this.#plan(lingerAfter(this.#options, tookMs));
        if (batch === null) continue;
        if (!handled) {
          const began = performance.now();
          await this.#options.handle(batch);
          tookMs = performance.now() - began;
          handled = true;
        }
        await this.#save({ committed: this.#native(batch.last) + 1, plan: null });
        batch = null;
        handled = false;
        attempt = 0;
      } catch (error) {
        if (isFenced(error)) return;
        this.#report(error, batch);
        // Retention was faster than the group: it goes on with what is kept, and says what it has missed.
        if (batch === null && error instanceof AppError && error.code === 'log.offset_gone') {
          this.#state = null;
          this.#buffer = null;
        }
        if (batch !== null && !handled) batch = { ...batch, redelivered: true };
        // What is handled and cannot be committed within some tries comes again to whoever has the partition then.
        if (handled && this.#stopping.aborted && attempt >= commitTries) return;
        await pause(this.#parts.backoff(attempt), handled ? never : this.#stopping);
        attempt += 1;
      }
    }
  }

  /** The planned range again, or a new one, durable at the group before it is returned. Null when stopping. */
  async #plan(lingerMs: number): Promise<LogBatch | null> {
    this.#state ??= await this.#load();
    const { committed, plan } = this.#state;
    const { base } = this.#owned.topic;
    if (plan !== null) return this.#toBatch(await this.#planned(plan), plan, true);
    this.#buffer ??= await this.#owned.fetcher.add(this.#partition, base + committed, {
      maxRecords: this.#options.maxRecords,
      maxBytes: this.#options.maxBytes,
      weigh: this.#options.weigh ?? recordBytes,
    });
    const run = { lingerMs, stopping: this.#stopping };
    const records = await gatherBatch(this.#buffer, base + committed, this.#options, run);
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined || this.#stopping.aborted) return null;
    const range = { first: first.offset - base, last: last.offset - base };
    await this.#save({ committed, plan: range });
    this.#buffer.dropBefore(last.offset + 1);
    return this.#toBatch(records, range, false);
  }

  async #planned({ first, last }: { readonly first: number; readonly last: number }): Promise<LogRecord[]> {
    const { topic } = this.#owned;
    const place = { topic: topic.topic, base: topic.base, partition: this.#partition };
    const records: LogRecord[] = [];
    for await (const record of readRange(this.#parts.cluster, { ...topic, place }, first, last + 1))
      records.push(record);
    if (records.length !== last - first + 1)
      throw corrupt(`${topic.name}/${this.#partition}`, 0, `the planned range ${first} to ${last} is not all there`);
    return records;
  }

  async #load(): Promise<PartitionState> {
    const { cluster, group } = this.#parts;
    const { topic } = this.#owned;
    const [stands] = await cluster.retrying(() => readPositions(cluster, group, topic.name, [this.#partition]));
    const range = (await rangesOf(cluster, topic.name))[this.#partition] ?? { first: 0, next: 0 };
    const state = parsePosition(topic.epoch, range.first, stands ?? { offset: null, metadata: '' });
    const reached = state.plan === null ? state.committed : state.plan.last + 1;
    if (reached > range.next)
      throw corrupt(
        `${topic.name}/${this.#partition}`,
        0,
        `group ${group} has seen records up to ${reached}, the log ends at ${range.next}`,
      );
    if (state.plan === null && state.committed < range.first) {
      this.#report(
        new AppError('log.offset_gone', `records ${state.committed} to ${range.first - 1} are gone unread`, {
          status: 410,
          context: { topic: topic.name, partition: this.#partition, from: state.committed, to: range.first },
        }),
        null,
      );
      return { committed: range.first, plan: null };
    }
    return state;
  }

  /** Makes plan and commit durable at the group. *Errors* `isFenced` when the membership is over. */
  async #save(state: PartitionState): Promise<void> {
    const { cluster } = this.#parts;
    const { topic, membership } = this.#owned;
    const offset = state.plan?.first ?? state.committed;
    const metadata = positionMetadata(topic.epoch, state.plan?.last ?? null);
    const position = { partition: this.#partition, offset, metadata };
    await cluster.retrying(() => commitPosition(cluster, membership, topic.name, position), 5000);
    this.#state = state;
  }

  #toBatch(
    records: readonly LogRecord[],
    range: { readonly first: number; readonly last: number },
    redelivered: boolean,
  ): LogBatch {
    const { topic } = this.#owned;
    const [first, last] = [topic.base + range.first, topic.base + range.last];
    const token = `${topic.epoch}-${topic.topic}-${this.#partition}-${first}-${last}`;
    const partition = this.#partition;
    const confirm = async () => {
      try {
        await this.#save({ committed: range.first, plan: range });
      } catch (error) {
        if (!isFenced(error)) throw error;
        throw new AppError('log.fenced', `${topic.name}/${partition} belongs to another consumer now`, {
          status: 409,
          retryable: true,
          cause: error,
        });
      }
    };
    return { topic: topic.topic, partition, epoch: topic.epoch, first, last, token, redelivered, records, confirm };
  }

  #native(offset: number): number {
    return offset - this.#owned.topic.base;
  }

  #report(error: unknown, batch: LogBatch | null): void {
    try {
      this.#options.onError(error, batch);
    } catch {
      // A listener that fails must not stop the partition.
    }
  }
}

const commitTries = 5;
const never = new AbortController().signal;
