import { fetchV13, findErrorBy, listOffsetsV7, ResponseError } from '@platformatic/kafka';
import { AppError } from '../contract/index.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { codeName, isOtherTopic, unreachable } from './kafka-errors.ts';
import { toLogRecord } from './kafka-record.ts';
import type { LogRecord, TopicName } from './port.ts';

/** What was fetched of one partition. Broker offsets. */
export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly first: number;
  readonly next: number;
  readonly records: readonly LogRecord[];
}

export interface FetchPlace {
  readonly topic: TopicName;
  readonly base: number;
}

interface FetchAsk {
  /** Connections of their own: a fetch may wait. */
  readonly purpose: string;
  readonly node: number;
  readonly topicId: string;
  readonly place: FetchPlace;
  readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
  readonly maxWaitMs: number;
}

/** A partition of one incarnation of a topic. */
export interface KafkaSource {
  readonly name: string;
  readonly id: string;
  readonly place: FetchPlace & { readonly partition: number };
}

const earliest = -2n;
const latest = -1n;

/** At least one record comes whole, however large. */
const partitionBytesMax = 1024 * 1024;
const responseBytesMax = 8 * 1024 * 1024;
const readUncommitted = 0;

/** One fetch from one broker. *Errors* those of the connection; a partition's own error comes as its `errorCode`. */
export async function fetchPartitions(cluster: KafkaCluster, ask: FetchAsk): Promise<readonly FetchedPartition[]> {
  const topics = [
    {
      topicId: ask.topicId,
      partitions: ask.partitions.map(({ partition, offset }) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: partitionBytesMax,
      })),
    },
  ];
  const response = await cluster.call(ask.purpose, { node: ask.node }, async (connection) => {
    try {
      return await fetchV13.api.async(
        connection,
        ask.maxWaitMs,
        1,
        responseBytesMax,
        readUncommitted,
        0,
        -1,
        topics,
        [],
        '',
      );
    } catch (error) {
      // Errors of partitions are for the caller, who has asked for others as well.
      const whole = error instanceof Error ? findErrorBy(error, 'code', ResponseError.code) : null;
      const partial = whole?.['response'] as fetchV13.FetchResponse | undefined;
      if (partial === undefined || partial.errorCode !== 0) throw error;
      return partial;
    }
  });
  const offsets = new Map(ask.partitions.map(({ partition, offset }) => [partition, offset]));
  return response.responses.flatMap((topic) =>
    topic.partitions.map(({ partitionIndex: partition, errorCode, logStartOffset, highWatermark, records }) => {
      const from = ask.place.base + (offsets.get(partition) ?? 0);
      const place = { ...ask.place, partition };
      return {
        partition,
        errorCode,
        first: Number(logStartOffset),
        next: Number(highWatermark),
        // A batch that begins before the offset asked for comes whole.
        records: (records ?? [])
          .flatMap((batch) => batch.records.map((record) => toLogRecord(place, batch, record)))
          .filter(({ offset }) => offset >= from),
      };
    }),
  );
}

/**
 * Reads `[from, to)` of a partition up to what is there, in broker offsets.
 *
 * *Errors* `log.offset_gone` when retention has dropped `from`; `log.unavailable`.
 */
export async function* readRange(
  cluster: KafkaCluster,
  source: KafkaSource,
  from: number,
  to: number,
): AsyncGenerator<LogRecord> {
  const { partition } = source.place;
  let offset = from;
  while (offset < to) {
    const fetched = await cluster.retrying(() => fetchOne(cluster, source, offset));
    if (fetched === null) {
      const range = (await listRanges(cluster, source.name))[partition];
      if (range !== undefined && offset >= range.next) return;
      throw offsetGone(source.name, partition, offset);
    }
    for (const record of fetched.records) {
      const at = record.offset - source.place.base;
      if (at < offset) continue;
      if (at >= to) return;
      yield record;
      offset = at + 1;
    }
    if (offset >= fetched.next) return;
  }
}

/** One fetch of one partition; null when the broker has not got the offset. */
async function fetchOne(
  cluster: KafkaCluster,
  { name, id, place }: KafkaSource,
  offset: number,
): Promise<FetchedPartition | null> {
  const { partition } = place;
  const layout = await cluster.layout(name);
  const node = layout?.leaders[partition] ?? -1;
  const partitions = [{ partition, offset }];
  const [one] = await fetchPartitions(cluster, { purpose: 'read', node, topicId: id, place, partitions, maxWaitMs: 0 });
  if (one?.errorCode === 0) return one;
  if (one?.errorCode === outOfRange) return null;
  // Just made, a topic's id is not known everywhere at once; made anew, it is another one.
  if ((await cluster.layout(name, true))?.id !== id) throw offsetGone(name, partition, offset);
  throw unreachable(`reading ${name}/${partition}: ${codeName(one?.errorCode ?? -1)}`);
}

/** First and next broker offset of every partition. *Errors* `log.unavailable` when the topic is not there. */
export async function listRanges(
  cluster: KafkaCluster,
  name: string,
): Promise<readonly { readonly partition: number; readonly first: number; readonly next: number }[]> {
  const layout = await cluster.layout(name);
  if (layout === null) throw unreachable(`topic ${name} is not there`);
  const [firsts, nexts] = [new Map<number, number>(), new Map<number, number>()];
  const byLeader = Map.groupBy(layout.leaders.keys(), (partition) => layout.leaders[partition] ?? -1);
  for (const [node, partitions] of byLeader)
    for (const [timestamp, found] of [
      [earliest, firsts],
      [latest, nexts],
    ] as const) {
      const asked = partitions.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp }));
      const response = await cluster.call('control', { node }, (connection) =>
        listOffsetsV7.api.async(connection, -1, readUncommitted, [{ name, partitions: asked }]),
      );
      for (const topic of response.topics)
        for (const { partitionIndex, offset } of topic.partitions) found.set(partitionIndex, Number(offset));
    }
  return layout.leaders.map((_, partition) => ({
    partition,
    first: firsts.get(partition) ?? 0,
    next: nexts.get(partition) ?? 0,
  }));
}

/** The same, repeated while the cluster is between two states. */
export async function rangesOf(cluster: KafkaCluster, name: string) {
  return cluster.retrying(async () => {
    try {
      return await listRanges(cluster, name);
    } catch (error) {
      if (isOtherTopic(error)) await cluster.layout(name, true);
      throw error;
    }
  });
}

/** The broker's number for an offset that is not there. *Source* Kafka protocol, OFFSET_OUT_OF_RANGE. */
export const outOfRange = 1;

/** *Errors* `log.offset_gone`. */
export function offsetGone(name: string, partition: number, offset: number): AppError {
  return new AppError('log.offset_gone', `offset ${offset} of ${name}/${partition} is not kept any more`, {
    status: 410,
    context: { topic: name, partition, offset },
  });
}
