import type { Store } from 'streams/store';
import { until } from '../pulse-process.ts';
import type { KafkaCheck } from './check.ts';
import { baseOfRun, kafkaRequest, openKafkaPipeline } from './pipeline.ts';

/** A consumer stands still between its plan and its inserts, is given up by the group, and goes on when another one has stored the same ranges. */
export const givenUp: KafkaCheck = {
  name: 'consumer that stood still wakes after its partitions were taken over',
  async run({ dir, broker, prefix, size }) {
    const rounds = size === 'full' ? 6 : 2;
    const baseMs = baseOfRun();
    const pipeline = await openKafkaPipeline({ dir, brokers: [broker.address], prefix });
    const problems: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      let wake = () => {};
      const asleep = new Promise<void>((resolve) => {
        wake = resolve;
      });
      let slept = 0;
      // Before it counts its duplicates in even rounds, before its first insert in odd ones.
      const sleeper = (store: Store): Store => ({
        ...store,
        async query(query, params, options) {
          if (round % 2 === 0 && options?.keys !== undefined) {
            slept += 1;
            await asleep;
          }
          return store.query(query, params, options);
        },
        async insert(block, token) {
          if (round % 2 === 1 && block.table !== 'usage_identities') {
            slept += 1;
            await asleep;
          }
          return store.insert(block, token);
        },
      });
      // Twice the same records: the second time all of them are duplicates that have to be counted.
      const requests = Array.from({ length: 24 }, (_, index) => kafkaRequest(round * 24 + index, baseMs));
      await pipeline.append(requests);
      if (round % 2 === 0) {
        const quick = await pipeline.join();
        await pipeline.settle();
        await quick.stop();
        await pipeline.append(requests);
      }
      const slow = await pipeline.join({
        wrapStore: sleeper,
        rebalanceMs: 1000,
      });
      await until(
        async () => slept,
        (count) => count > 0,
      );
      // Stopped as a process would be: no heartbeat, no commit.
      await slow.log.sever();
      const successor = await pipeline.join();
      await pipeline.settle();
      wake();
      await new Promise((resolve) => setTimeout(resolve, 700));
      problems.push(...(await pipeline.differences(allUpTo(round, baseMs))));
      await slow.stop();
      await successor.stop();
    }
    await pipeline.stop();
    return { figure: `${rounds} rounds, ${problems.length} problems`, problems };
  },
};

const allUpTo = (round: number, baseMs: number) =>
  Array.from({ length: (round + 1) * 24 }, (_, id) => kafkaRequest(id, baseMs));
