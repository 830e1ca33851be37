import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafkaLog, type KafkaLog } from 'streams/log';
import { logConformance } from 'streams/log/conformance';
import { systemClock } from 'streams/runtime';
import { afterAll, beforeAll } from 'vitest';
import { type Broker, startBroker } from './broker.ts';

const dir = mkdtempSync(join(tmpdir(), 'pulse-kafka-'));
let broker: Broker;
let run = 0;

beforeAll(async () => {
  broker = await startBroker(dir);
});
afterAll(async () => {
  await broker.stop();
  rmSync(dir, { recursive: true, force: true });
});

logConformance('kafka', async () => {
  run += 1;
  const prefix = `run-${run}.`;
  const opened: KafkaLog[] = [];
  const open = async () => {
    const log = createKafkaLog({
      connection: { brokers: [broker.address] },
      clock: systemClock,
      prefix,
      partitions: 3,
      // The broker's floor in tests: a member that crashed is soon given up.
      sessionMs: 1000,
      rebalanceMs: 5000,
    });
    await log.start();
    opened.push(log);
    return log;
  };
  return {
    log: await open(),
    isShared: true,
    reopen: async () => {
      await opened.at(-1)?.sever();
      return open();
    },
    dispose: async () => {
      for (const log of opened) await log.stop();
    },
  };
});
