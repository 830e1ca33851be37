import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, startBroker } from './broker.ts';
import { brokerKilled } from './broker-killed.ts';
import type { KafkaCheck, KafkaCheckSize } from './check.ts';
import { crashPoints } from './crash-points.ts';
import { givenUp } from './given-up.ts';
import { stopPipelines } from './pipeline.ts';
import { rebalances } from './rebalances.ts';
import { topicRecreated } from './topic-recreated.ts';

/** What must hold between a broker and the tables. */
export const kafkaChecks: readonly KafkaCheck[] = [crashPoints, rebalances, topicRecreated, givenUp, brokerKilled];

/** A broker for checks, each run with topics and a folder of its own. */
export async function openMatrix() {
  const home = mkdtempSync(join(tmpdir(), 'pulse-kafka-'));
  const broker: Broker = await startBroker(join(home, 'broker'));
  let runs = 0;
  return {
    async run(check: KafkaCheck, size: KafkaCheckSize) {
      runs += 1;
      const dir = join(home, `run-${runs}`);
      mkdirSync(dir);
      try {
        return await check.run({ dir, broker, prefix: `run-${runs}.`, size });
      } finally {
        await stopPipelines();
      }
    },
    async close() {
      await broker.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
