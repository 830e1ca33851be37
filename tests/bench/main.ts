import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startFlags } from '../pulse-process.ts';
import { ackLatency } from './ack-latency.ts';
import { decode } from './decode.ts';
import { durableAck } from './durable-ack.ts';
import { ingest } from './ingest.ts';
import { kafka } from './kafka.ts';
import { kafkaProcesses } from './kafka-processes.ts';
import { noisyNeighbour } from './noisy-neighbour.ts';
import { query } from './query.ts';
import { reconcile } from './reconcile.ts';
import { type BenchResult, reached, report } from './results.ts';
import { scaling } from './scaling.ts';
import { storage } from './storage.ts';

/** `npm run bench [-- NAME…]`: runs the named benchmarks, or all. Ends with 1 when one missed its pass mark. */
const benchmarks: Readonly<Record<string, () => Promise<BenchResult[]>>> = {
  ingest,
  decode,
  storage,
  scaling,
  query,
  'noisy-neighbour': noisyNeighbour,
  'durable-ack': durableAck,
  'ack-latency': ackLatency,
  reconcile,
  kafka,
  'kafka-processes': kafkaProcesses,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}\n`);
  process.exit(2);
}
const inChild = process.env['PULSE_BENCH_CHILD'] !== undefined;
if (inChild) {
  const [name = ''] = wanted;
  process.send?.(await benchmarks[name]?.(), () => process.exit(0));
} else {
  const results: BenchResult[] = [];
  for (const name of Object.keys(benchmarks)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    process.stdout.write(`── ${name}\n`);
    results.push(...(await inOwnProcess(name)));
  }
  report(results);
  process.exit(results.every(reached) ? 0 : 1);
}

/** What one benchmark leaves behind (compiled code for its data, a grown heap) must not colour the next. V8's flags are those of `npm start`. */
async function inOwnProcess(name: string): Promise<readonly BenchResult[]> {
  const child = fork(import.meta.filename, [name], {
    env: { ...process.env, PULSE_BENCH_CHILD: '1' },
    execArgv: [...startFlags],
  });
  let results: readonly BenchResult[] | undefined;
  child.once('message', (message) => {
    results = message as readonly BenchResult[];
  });
  const [code] = await once(child, 'exit');
  if (code !== 0 || results === undefined) throw new Error(`benchmark ${name} ended with ${code}`);
  return results;
}
