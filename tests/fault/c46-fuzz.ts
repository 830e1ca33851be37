import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, createTenant, type PulseProcess, startPulse } from '../pulse-process.ts';
import type { CheckContext, FaultCheck } from './check.ts';
import { fuzzDecoders } from './fuzz/decoders.ts';
import { fuzzDoors, type Tally } from './fuzz/doors.ts';

const sizes = {
  short: { seconds: 3, runs: 120, decoderRuns: 1500 },
  full: { seconds: 600, runs: 400, decoderRuns: 5000 },
} as const;

const senders = 3;

/** Mebibytes that the heap of live objects may differ by between the first and the last third of a full run. */
const heapGrowthMiBMax = 24;
const mebibyte = 1024 * 1024;

/** What is kept over an interruption. */
interface Progress {
  readonly seed: number;
  readonly rounds: number;
  readonly seconds: number;
}

/** The heap after a collection: the least of a few readings, because every reading between two collections is above it. */
async function heapOf(pulse: PulseProcess): Promise<number> {
  const readings: number[] = [];
  for (let i = 0; i < 3; i++) {
    const text = await (await fetch(`${pulse.http}/metrics`)).text();
    readings.push(Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(text)?.[1] ?? Number.NaN));
    await sleep(20);
  }
  return Math.min(...readings);
}

/** Least heap of the last third minus least heap of the middle third: the first third fills caches. *Units* MiB. */
export function heapGrowthMiB(readings: readonly number[]): number {
  const third = Math.floor(readings.length / 3);
  if (third === 0) return 0;
  return (Math.min(...readings.slice(-third)) - Math.min(...readings.slice(third, 2 * third))) / mebibyte;
}

async function openServer(dir: string): Promise<{ pulse: PulseProcess; key: string }> {
  const pulse = await startPulse({ dataDir: join(dir, `data-${randomInt(2 ** 32)}`) });
  const key = await createTenant(pulse, { id: 'isp-fuzz' });
  // Mutated names are new series: their number is bounded as for any tenant, and no rate keeps requests from the decoders.
  const { status } = await call(pulse, '/api/v1/tenants/isp-fuzz/limits', {
    method: 'PATCH',
    body: { activeSeries: 5000, pointsPerSecond: 1_000_000, newSeriesPerSecond: 100_000, concurrentRequests: 64 },
  });
  if (status !== 200) throw new Error(`the limits were not taken: ${status}`);
  return { pulse, key };
}

/** C46: mutated payloads of real senders against every decoder and every endpoint. */
export const fuzz: FaultCheck = {
  id: 'C46',
  title: 'fuzzed payloads, types and encodings',
  guarantee: 'no decoder and no endpoint crashes, hangs, answers 5xx or grows, whatever is sent',
  async run(context) {
    const size = sizes[context.size];
    let progress = (context.resumed as Progress | null) ?? { seed: randomInt(2 ** 30), rounds: 0, seconds: 0 };
    context.progress(`seed ${progress.seed}, from round ${progress.rounds}`);
    const { pulse, key } = await openServer(context.dir);
    const tally: Tally = new Map();
    const heap: number[] = [];
    const wrong: string[] = [];
    try {
      while (progress.seconds < size.seconds && Date.now() < context.deadline && wrong.length === 0) {
        const began = Date.now();
        wrong.push(...(await round(pulse, key, tally, progress, size)));
        heap.push(await heapOf(pulse));
        const seconds = progress.seconds + (Date.now() - began) / 1000;
        progress = { ...progress, rounds: progress.rounds + 1, seconds };
        context.save(progress);
        tell(context, progress, tally, heap);
      }
      if (pulse.child.exitCode !== null || pulse.child.signalCode !== null) wrong.push('the server has ended');
    } catch (error) {
      wrong.push(String(error));
    } finally {
      await pulse.stop();
    }
    const grown = heapGrowthMiB(heap);
    if (context.size === 'full' && grown > heapGrowthMiBMax) wrong.push(`the heap grew by ${grown.toFixed(1)} MiB`);
    const sent = [...tally.values()].reduce((sum, count) => sum + count, 0);
    const decoded = progress.rounds * size.decoderRuns;
    const answers = [...tally].sort().map(([answer, count]) => `${answer} ×${count}`);
    return {
      passed: wrong.length === 0,
      figure: `${sent} requests, ${decoded} decodings, ${Math.round(progress.seconds)} s: ${wrong.length} faults, heap ${grown >= 0 ? '+' : ''}${grown.toFixed(1)} MiB (seed ${progress.seed})`,
      details: wrong.length === 0 ? [] : [...wrong, answers.join(', ')],
      unfinished: wrong.length === 0 && progress.seconds < size.seconds,
    };
  },
};

/** One round: every decoder in this process, then every endpoint with several senders; answers what went wrong. */
async function round(
  pulse: PulseProcess,
  key: string,
  tally: Tally,
  { seed, rounds }: Progress,
  size: (typeof sizes)[keyof typeof sizes],
): Promise<string[]> {
  const base = seed + rounds * (senders + 1);
  const runs = [
    (async () => fuzzDecoders(base, size.decoderRuns))(),
    ...Array.from({ length: senders }, (_, i) => fuzzDoors(pulse, key, tally, base + i + 1, size.runs)),
  ];
  const ended = await Promise.allSettled(runs);
  return ended.flatMap((one) => (one.status === 'rejected' ? [String(one.reason?.stack ?? one.reason)] : []));
}

function tell(context: CheckContext, progress: Progress, tally: Tally, heap: readonly number[]): void {
  if (progress.rounds % 10 !== 0 && context.size === 'full') return;
  const answers = [...tally].sort().map(([answer, count]) => `${answer} ×${count}`);
  const latest = Math.round((heap.at(-1) ?? 0) / mebibyte);
  context.progress(
    `${Math.round(progress.seconds)} s, round ${progress.rounds}, heap ${latest} MiB: ${answers.join(', ')}`,
  );
}
