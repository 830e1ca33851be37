import {
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  findErrorBy,
  heartbeatV4,
  joinGroupV7,
  leaveGroupV4,
  offsetCommitV8,
  offsetFetchV8,
  syncGroupV5,
} from '@platformatic/kafka';
import { pause } from './batch-gather.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { hasCode, isFenced, isTransient, unreachable } from './kafka-errors.ts';

/** A place in one generation of a group. What is committed with it is refused as soon as another generation has begun. */
export interface Membership {
  readonly group: string;
  readonly generation: number;
  readonly memberId: string;
}

/** What stands at the group for a partition. Broker offsets. */
export interface GroupPosition {
  readonly partition: number;
  /** Null when the group has committed nothing. */
  readonly offset: number | null;
  readonly metadata: string;
}

export interface GroupOptions {
  readonly group: string;
  /** Name on the broker. */
  readonly topic: string;
  readonly sessionMs: number;
  /** How long the coordinator waits for a member that has a batch in hand. */
  readonly rebalanceMs: number;
  partitions(): Promise<number>;
  /** The member owns these from now on. */
  assigned(membership: Membership, partitions: readonly number[]): Promise<void>;
  /** The member must let go: resolves when nothing is in hand any more. `lost`: it has lost them already, its commits are refused. */
  revoked(lost: boolean): Promise<void>;
  onError(error: unknown): void;
}

type Ending = 'rebalance' | 'lost' | 'stopping';

const quietAttempts = 4;
const protocolType = 'consumer';
const protocolName = 'roundrobin';

/** Member of a consumer group: joins, keeps the session alive, lets go at a rebalance after the batch in hand, joins again. */
export class GroupMember {
  readonly #cluster: KafkaCluster;
  readonly #options: GroupOptions;
  readonly #stopping = new AbortController();
  #again = new AbortController();
  #memberId = '';
  #running: Promise<void> = Promise.resolve();

  constructor(cluster: KafkaCluster, options: GroupOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Leaves after the batch in hand. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Lets go and joins anew, for instance because the topic is another one. */
  rejoin(): void {
    this.#again.abort();
  }

  async #run(): Promise<void> {
    let attempt = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        const { membership, partitions } = await this.#join();
        attempt = 0;
        this.#again = new AbortController();
        await this.#options.assigned(membership, partitions);
        await this.#hold(membership);
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        if (hasCode(error, 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID')) this.#memberId = '';
        // Others come and go: that is how a group settles.
        else if (!isFenced(error)) {
          // A coordinator that is only just being made is no news.
          if (attempt >= quietAttempts || !isTransient(error)) this.#options.onError(error);
          this.#cluster.forget({ coordinatorOf: this.#options.group });
        }
        await pause(Math.min(5000, 100 * 2 ** attempt), this.#stopping.signal);
        attempt += 1;
      }
    }
    await this.#leave();
  }

  /** Beats until something ends the membership, then waits for what is in hand; it beats on meanwhile. */
  async #hold(membership: Membership): Promise<void> {
    const released = new AbortController();
    let end: (ending: Ending) => void = () => undefined;
    const ended = new Promise<Ending>((resolve) => {
      end = resolve;
    });
    const stop = () => end('stopping');
    const again = () => end('rebalance');
    this.#stopping.signal.addEventListener('abort', stop);
    this.#again.signal.addEventListener('abort', again);
    if (this.#stopping.signal.aborted) end('stopping');
    let lost = false;
    const beating = this.#beat(membership, released.signal, (ending) => {
      lost ||= ending === 'lost';
      end(ending);
    });
    const ending = await ended;
    this.#stopping.signal.removeEventListener('abort', stop);
    this.#again.signal.removeEventListener('abort', again);
    await this.#options.revoked(ending === 'lost');
    released.abort();
    await beating;
    if (lost) this.#memberId = '';
  }

  async #beat(membership: Membership, released: AbortSignal, end: (ending: Ending) => void): Promise<void> {
    const everyMs = Math.max(100, Math.floor(this.#options.sessionMs / 4));
    let heard = performance.now();
    while (!released.aborted) {
      await pause(everyMs, released);
      if (released.aborted) return;
      try {
        await this.#ask((connection) =>
          heartbeatV4.api.async(connection, membership.group, membership.generation, membership.memberId, null),
        );
        heard = performance.now();
      } catch (error) {
        if (hasCode(error, 'REBALANCE_IN_PROGRESS')) {
          heard = performance.now();
          end('rebalance');
        } else if (isFenced(error)) {
          end('lost');
          return;
        } else {
          this.#cluster.forget({ coordinatorOf: membership.group });
          // The coordinator counts from what it has heard: by then it has given the partitions to somebody else.
          if (performance.now() - heard > this.#options.sessionMs) {
            end('lost');
            return;
          }
        }
      }
    }
  }

  async #join(): Promise<{ membership: Membership; partitions: readonly number[] }> {
    const { group, topic, sessionMs, rebalanceMs } = this.#options;
    const metadata = encodeConsumerProtocolSubscription({ version: 0, topics: [topic] });
    const join = () =>
      this.#cluster.call(
        `join ${group}`,
        { coordinatorOf: group },
        (connection) =>
          joinGroupV7.api.async(connection, group, sessionMs, rebalanceMs, this.#memberId, null, protocolType, [
            { name: protocolName, metadata },
          ]),
        rebalanceMs + sessionMs + 5000,
      );
    let joined: Awaited<ReturnType<typeof join>>;
    try {
      joined = await join();
    } catch (error) {
      // The first answer only names the member.
      const named = error instanceof Error ? findErrorBy(error, 'apiId', 'MEMBER_ID_REQUIRED') : null;
      const memberId = memberIdOf(named) ?? memberIdOf(error);
      if (memberId === undefined) throw error;
      this.#memberId = memberId;
      joined = await join();
    }
    this.#memberId = joined.memberId;
    const membership = { group, generation: joined.generationId, memberId: joined.memberId };
    const members = joined.leader === joined.memberId ? joined.members.map(({ memberId }) => memberId) : [];
    const plan = members.length === 0 ? [] : assign(members, await this.#options.partitions(), topic);
    const synced = await this.#cluster.call(
      `join ${group}`,
      { coordinatorOf: group },
      (connection) =>
        syncGroupV5.api.async(
          connection,
          group,
          membership.generation,
          membership.memberId,
          null,
          protocolType,
          protocolName,
          plan,
        ),
      rebalanceMs + 5000,
    );
    const own = decodeConsumerProtocolAssignment(synced.assignment).assignedPartitions.find(
      (assigned) => assigned.topic === topic,
    );
    return { membership, partitions: own?.partitions ?? [] };
  }

  async #leave(): Promise<void> {
    if (this.#memberId === '') return;
    const members = [{ memberId: this.#memberId, groupInstanceId: null }];
    this.#memberId = '';
    await this.#ask((connection) => leaveGroupV4.api.async(connection, this.#options.group, members)).catch(
      () => undefined,
    );
  }

  #ask<T>(
    request: Parameters<KafkaCluster['call']>[2] extends (connection: infer C) => unknown
      ? (connection: C) => Promise<T>
      : never,
  ): Promise<T> {
    const { group, sessionMs } = this.#options;
    return this.#cluster.call(`group ${group}`, { coordinatorOf: group }, request, Math.max(1000, sessionMs / 2));
  }
}

function memberIdOf(error: unknown): string | undefined {
  const found = error as { memberId?: unknown; response?: { memberId?: unknown } } | null;
  const id = found?.response?.memberId ?? found?.memberId;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** Deals the partitions out one by one: the same for everybody who knows the members. */
function assign(members: readonly string[], partitions: number, topic: string) {
  const sorted = members.toSorted();
  return sorted.map((memberId, index) => {
    const own = Array.from({ length: partitions }, (_, partition) => partition).filter(
      (partition) => partition % sorted.length === index,
    );
    const assignedPartitions = own.length === 0 ? [] : [{ topic, partitions: own }];
    return { memberId, assignment: encodeConsumerProtocolAssignment({ version: 0, assignedPartitions }) };
  });
}

/** Commits one position under a membership. *Errors* the broker's: `isFenced` says that the membership is over. */
export async function commitPosition(
  cluster: KafkaCluster,
  membership: Membership,
  topic: string,
  position: { readonly partition: number; readonly offset: number; readonly metadata: string },
): Promise<void> {
  const { group, generation, memberId } = membership;
  const partitions = [
    {
      partitionIndex: position.partition,
      committedOffset: BigInt(position.offset),
      committedLeaderEpoch: -1,
      committedMetadata: position.metadata,
    },
  ];
  await cluster.call(`group ${group}`, { coordinatorOf: group }, (connection) =>
    offsetCommitV8.api.async(connection, group, generation, memberId, null, [{ name: topic, partitions }]),
  );
}

/** What a group has committed, in the order of `partitions`. */
export async function readPositions(
  cluster: KafkaCluster,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<readonly GroupPosition[]> {
  const response = await cluster.call(`group ${group}`, { coordinatorOf: group }, (connection) =>
    offsetFetchV8.api.async(
      connection,
      [{ groupId: group, memberEpoch: -1, topics: [{ name: topic, partitionIndexes: [...partitions] }] }],
      true,
    ),
  );
  const found = response.groups[0]?.topics.find(({ name }) => name === topic)?.partitions;
  if (found === undefined) throw unreachable(`the coordinator says nothing of ${group}`);
  const byPartition = new Map(found.map((entry) => [entry.partitionIndex, entry]));
  return partitions.map((partition) => {
    const entry = byPartition.get(partition);
    const offset = entry === undefined || entry.committedOffset < 0n ? null : Number(entry.committedOffset);
    return { partition, offset, metadata: entry?.metadata ?? '' };
  });
}
