import { Admin } from '@platformatic/kafka';
import type { KafkaCheck } from './check.ts';
import { baseOfRun, kafkaRequest, openKafkaPipeline } from './pipeline.ts';

/** C09: the topic is deleted and made anew, so the same offsets come again with other records, once with the group's commits and Pulse's own record of the epoch gone too. */
export const topicRecreated: KafkaCheck = {
  name: 'topic recreated, same offsets with new records',
  async run({ dir, broker, prefix }) {
    const baseMs = baseOfRun();
    const pipeline = await openKafkaPipeline({ dir, brokers: [broker.address], prefix });
    await pipeline.join();
    const problems: string[] = [];
    const all = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => kafkaRequest(from + index, baseMs));
    const epochs = new Set<string>();
    let highest = -1;
    const admin = new Admin({ clientId: 'check', bootstrapBrokers: [broker.address] });
    for (const [round, gone] of [[], ['telemetry'], ['telemetry', 'log']].entries()) {
      if (gone.length > 0) await admin.deleteTopics({ topics: gone.map((name) => prefix + name) });
      // The same hours as in the round before, the same offsets, the same partitions.
      await appended(() => pipeline.append(all(round * 24, round * 24 + 24)));
      await pipeline.settle();
      epochs.add(pipeline.log.epoch());
      problems.push(...(await pipeline.differences(all(0, round * 24 + 24))));
      const ranges = await pipeline.log.offsets('telemetry');
      if (ranges.some(({ first }) => first <= highest)) problems.push('offsets do not go on above those before');
      highest = Math.max(...ranges.map(({ next }) => next));
    }
    await admin.close();
    await pipeline.stop();
    if (epochs.size !== 3) problems.push(`${epochs.size} epochs instead of 3`);
    return { figure: `2 recreations, 72 requests, ${problems.length} problems`, problems };
  },
};

/** A deletion takes its moment; a sender repeats what was not acknowledged. */
async function appended(append: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await append();
      return;
    } catch (error) {
      if (attempt > 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
