import type { ConsumerOptions, KafkaLog } from 'streams/log';
import type { Store } from 'streams/store';
import { createLedger, readLedger } from '../fault/sender.ts';
import type { CrashPoint } from './crash-points.ts';
import { kafkaRequest, openKafkaPipeline, wrapLog } from './pipeline.ts';

/** Child of the crash matrix: appends some requests, takes them into the tables, and kills itself at a crash point. The product knows nothing of it: the ports are wrapped. */
const [dir = '', ledgerFile = '', point = '', base = '', broker = '', prefix = ''] = process.argv.slice(2) as [
  string,
  string,
  CrashPoint,
  string,
  string,
  string,
];
const requestsPerRound = 12;
const [batch, insert] = [1 + Math.floor(Math.random() * 3), 1 + Math.floor(Math.random() * 2)];
let batches = 0;
let inserts = 0;

const die = () => process.kill(process.pid, 'SIGKILL');

function withCrash(log: KafkaLog): KafkaLog {
  return wrapLog(log, {
    consumer: (options: ConsumerOptions) =>
      log.consumer({
        ...options,
        async handle(delivered) {
          // The partitions take their batches side by side.
          batches += 1;
          const armed = batches === batch;
          if (armed) inserts = 0;
          if (point === 'W1' && armed) die();
          await options.handle(delivered);
          if (point === 'W3' && armed) die();
          if (point === 'AFTER' && armed) void whenCommitted(log, delivered.partition, delivered.last).then(die);
        },
      }),
  });
}

async function whenCommitted(log: KafkaLog, partition: number, last: number): Promise<void> {
  for (;;) {
    const committed = await log.committed('telemetry', 'store');
    if ((committed[partition]?.next ?? 0) > last) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function dyingStore(store: Store): Store {
  return {
    ...store,
    async insert(block, token) {
      await store.insert(block, token);
      inserts += 1;
      if (point === 'W2' && batches >= batch && inserts >= insert) die();
    },
  };
}

const ledger = createLedger(ledgerFile);
const { sent } = readLedger(ledgerFile);
const first = Math.max(-1, ...sent) + 1;
const pipeline = await openKafkaPipeline({ dir, brokers: [broker], prefix });
for (let id = first; id < first + requestsPerRound; id += 1) {
  const request = kafkaRequest(id, Number(base));
  ledger.sending(request);
  await pipeline.append([request]);
  ledger.acknowledged(request);
}
await pipeline.join({ wrapLog: withCrash, wrapStore: dyingStore, maxRecords: 3, sessionMs: 1000 });
await pipeline.settle(50);
// Not reached: the crash point comes first.
process.exit(3);
