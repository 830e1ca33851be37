import { encodeConsumerProtocolAssignment, ProtocolError } from '@platformatic/kafka';
import { expect, test, vi } from 'vitest';
import type { KafkaCluster } from './kafka-cluster.ts';
import { KafkaConsumer } from './kafka-consumer.ts';
import type { KafkaTopics } from './kafka-topics.ts';

const joined = (memberId: string) => () => ({ memberId, generationId: 1, leader: 'another', members: [] });
const dealt = (partition: number) => () => ({
  assignment: encodeConsumerProtocolAssignment({
    version: 0,
    assignedPartitions: [{ topic: 'pulse.telemetry', partitions: [partition] }],
  }),
});
const refused = (code: 'REBALANCE_IN_PROGRESS' | 'UNKNOWN_MEMBER_ID') => () => {
  throw new ProtocolError(code);
};

/** A consumer whose coordinator answers requests to join, and heartbeats, in this order; afterwards it is silent. Nothing can be read. */
function consumerOf(answers: { readonly join: (() => unknown)[]; readonly beat: (() => unknown)[] }) {
  const never = new Promise<never>(() => undefined);
  const cluster = {
    call: async (purpose: string) => {
      const answer = (purpose.startsWith('join') ? answers.join : answers.beat).shift();
      return answer === undefined ? never : answer();
    },
    retrying: () => never,
    layout: () => never,
    forget: () => undefined,
  };
  const topic = { topic: 'telemetry', name: 'pulse.telemetry', id: 'id', epoch: 'e', base: 0, partitions: 2 };
  const topics = { nameOf: () => topic.name, current: async () => topic };
  const gained: (readonly number[])[] = [];
  const consumer = new KafkaConsumer(
    {
      cluster: cluster as unknown as KafkaCluster,
      topics: topics as unknown as KafkaTopics,
      group: 'pulse.telemetry.store',
      sessionMs: 400,
      rebalanceMs: 20,
      backoff: () => 1,
    },
    {
      ...{ topic: 'telemetry', group: 'store', maxRecords: 1, maxBytes: 1, lingerMs: 0 },
      handle: () => never,
      onAssigned: (partitions) => gained.push(partitions),
      onError: () => undefined,
    },
  );
  return { consumer, gained, left: () => answers.join.length + answers.beat.length };
}

test('a member that goes on through a rebalance is told only of partitions that it did not have', async () => {
  const { consumer, gained, left } = consumerOf({
    join: [joined('a'), dealt(0), joined('a'), dealt(0), joined('a'), dealt(1)],
    beat: [refused('REBALANCE_IN_PROGRESS'), refused('REBALANCE_IN_PROGRESS')],
  });
  consumer.start();
  await vi.waitFor(() => expect(left()).toBe(0), { timeout: 5000 });
  await vi.waitFor(() => expect(gained).toEqual([[0], [1]]));
});

test('a member that was given up on its way to a rebalance has all of its partitions anew: somebody else had them meanwhile', async () => {
  const { consumer, gained, left } = consumerOf({
    join: [joined('a'), dealt(0), refused('UNKNOWN_MEMBER_ID'), joined('b'), dealt(0)],
    beat: [refused('REBALANCE_IN_PROGRESS')],
  });
  consumer.start();
  await vi.waitFor(() => expect(left()).toBe(0), { timeout: 5000 });
  await vi.waitFor(() => expect(gained).toEqual([[0], [0]]));
});
