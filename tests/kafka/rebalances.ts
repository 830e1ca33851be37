import type { ConsumerOptions, KafkaLog } from 'streams/log';
import type { Request } from '../fault/sender.ts';
import type { KafkaCheck } from './check.ts';
import { baseOfRun, kafkaRequest, type Member, openKafkaPipeline, wrapLog } from './pipeline.ts';

/** C13: the group is dealt out anew again and again while records of all partitions come in. */
export const rebalances: KafkaCheck = {
  name: 'rebalance under load, two members, batches of all partitions',
  async run({ dir, broker, prefix, size }) {
    // C13 asks for a hundred, one in ten seconds; twice as often is harder and ends sooner.
    const [times, everyMs] = size === 'full' ? [100, 5_000] : [6, 1200];
    const baseMs = baseOfRun();
    const pipeline = await openKafkaPipeline({ dir, brokers: [broker.address], prefix });
    const inHand = new Map<number, number>();
    const problems: string[] = [];
    let batches = 0;
    let revocations = 0;
    const watched = (log: KafkaLog): KafkaLog =>
      wrapLog(log, {
        consumer: (options: ConsumerOptions) =>
          log.consumer({
            ...options,
            onRevoked: (partitions) => {
              revocations += 1;
              options.onRevoked?.(partitions);
            },
            async handle(batch) {
              const { partition, first, last } = batch;
              batches += 1;
              inHand.set(partition, (inHand.get(partition) ?? 0) + 1);
              if ((inHand.get(partition) ?? 0) > 1) problems.push(`partition ${partition} is in two hands`);
              if (batch.records.some((record) => record.partition !== partition)) problems.push('a batch is mixed');
              const before = (await log.committed('telemetry', 'store'))[partition]?.next ?? -1;
              // The plan stands at the first offset: a commit never leads the insert.
              if (before !== first) problems.push(`${partition}: ${first} to ${last} in hand, committed ${before}`);
              try {
                await options.handle(batch);
              } finally {
                inHand.set(partition, (inHand.get(partition) ?? 0) - 1);
              }
            },
          }),
      });
    await pipeline.join({ wrapLog: watched });
    const sent: Request[] = [];
    let ended = false;
    const sending = (async () => {
      for (let id = 0; !ended; id += 4) {
        const requests = [0, 1, 2, 3].map((step) => kafkaRequest(id + step, baseMs));
        await pipeline.append(requests);
        sent.push(...requests);
        await new Promise((resolve) => setTimeout(resolve, size === 'full' ? 150 : 30));
      }
    })();
    let other: Member | null = null;
    for (let time = 0; time < times; time += 1) {
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      if (other === null) other = await pipeline.join({ wrapLog: watched });
      else {
        await other.stop();
        other = null;
      }
    }
    ended = true;
    await sending;
    await pipeline.settle();
    problems.push(...(await pipeline.differences(sent)));
    await pipeline.stop();
    return {
      figure: `${times} rebalances (${revocations} times let go), ${sent.length} requests in ${batches} batches, ${problems.length} problems`,
      problems,
    };
  },
};
