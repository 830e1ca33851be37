import type { EmbeddedLog } from 'streams/log';
import type { Store } from 'streams/store';
import type { CrashPoint } from './c03-consumer-killed.ts';
import { openPipeline, requestsPerRound, roundRequest } from './pipeline.ts';
import { createLedger, readLedger } from './sender.ts';

/** Child of C03: appends some requests, takes them into the tables, and kills itself at a crash point. The product knows nothing of it: the ports are wrapped. */
const [dir = '', ledgerFile = '', point = '', base = ''] = process.argv.slice(2) as [
  string,
  string,
  CrashPoint,
  string,
];
const [batch, insert] = [1 + Math.floor(Math.random() * 3), 1 + Math.floor(Math.random() * 3)];
/** Four statements roll up some hours of a partition, the last marks them: the end comes before any but the first of the first two partitions. */
const statement = 2 + Math.floor(Math.random() * 7);
let batches = 0;
let inserts = 0;
let statements = 0;

const die = () => process.kill(process.pid, 'SIGKILL');

function wrapLog(log: EmbeddedLog): EmbeddedLog {
  return Object.assign(Object.create(log) as EmbeddedLog, {
    append: log.append.bind(log),
    read: log.read.bind(log),
    epoch: log.epoch.bind(log),
    offsets: log.offsets.bind(log),
    committed: log.committed.bind(log),
    consumer: (options: Parameters<EmbeddedLog['consumer']>[0]) =>
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

async function whenCommitted(log: EmbeddedLog, partition: number, last: number): Promise<void> {
  for (;;) {
    const committed = await log.committed('telemetry', 'store');
    if ((committed[partition]?.next ?? 0) > last) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function wrapStore(store: Store): Store {
  return {
    ...store,
    async insert(block, token) {
      await store.insert(block, token);
      inserts += 1;
      if (point === 'W2' && batches >= batch && inserts >= Math.min(insert, 2)) die();
    },
    async execute(sql, params, limits) {
      if (point === 'ROLLUP' && sql.includes('{version:')) {
        statements += 1;
        if (statements === statement) die();
      }
      await store.execute(sql, params, limits);
    },
  };
}

const ledger = createLedger(ledgerFile);
const { sent } = readLedger(ledgerFile);
const first = Math.max(-1, ...sent) + 1;
const pipeline = await openPipeline({ dir, wrapLog, wrapStore, maxRecords: 3 });
for (let id = first; id < first + requestsPerRound; id += 1) {
  const request = roundRequest(id, Number(base));
  ledger.sending(request);
  await pipeline.append([request]);
  ledger.acknowledged(request);
}
await pipeline.drain();
// Not reached: the crash point comes first.
process.exit(3);
