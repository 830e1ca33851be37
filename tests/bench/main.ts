import { ackLatency } from './ack-latency.ts';
import { decode } from './decode.ts';
import { durableAck } from './durable-ack.ts';
import { ingest } from './ingest.ts';
import { noisyNeighbour } from './noisy-neighbour.ts';
import { query } from './query.ts';
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
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}\n`);
  process.exit(2);
}
const results: BenchResult[] = [];
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`── ${name}\n`);
  results.push(...(await run()));
}
report(results);
process.exit(results.every(reached) ? 0 : 1);
