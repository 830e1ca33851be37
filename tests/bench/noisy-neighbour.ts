import { rmSync } from 'node:fs';
import { createNeighbours, noise, runWindow, spendBurst } from '../fault/noisy-neighbour.ts';
import { percentile } from '../fault/otlp-points.ts';
import { startPulse } from '../pulse-process.ts';
import { type BenchResult, summarise } from './results.ts';

/** Many short rounds: both windows of one stand close enough together to be compared. */
const rounds = 10;
const seconds = 5;
/** What was saved up is spent, and what came with the window before is stored, before the clock runs. */
const settleSeconds = 2;

/** p95 of a quiet tenant's requests while another one sends ten times its limit, ÷ alone. Windows of both interleave, their order changes from round to round. */
export async function noisyNeighbour(): Promise<BenchResult[]> {
  const pulse = await startPulse();
  try {
    const neighbours = await createNeighbours(pulse);
    await runWindow(neighbours, 5, false);
    const alone: number[] = [];
    const beside: number[] = [];
    const limitedShare: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const isNoisy of round % 2 === 0 ? [false, true] : [true, false]) {
        if (isNoisy) await spendBurst(neighbours);
        await runWindow(neighbours, settleSeconds, isNoisy);
        const { quietMs, quietErrors, noisy, seconds: took } = await runWindow(neighbours, seconds, isNoisy);
        const mistakes = [...quietErrors, ...noisy.others];
        if (mistakes.length > 0) throw new Error(`refused: ${mistakes.slice(0, 3).join(', ')}`);
        (isNoisy ? beside : alone).push(percentile(quietMs, 0.95));
        if (!isNoisy) continue;
        const allowed = noise.limit * (took + 1) + noise.noisyPointsPerRequest;
        if (noisy.accepted > allowed) throw new Error(`${noisy.accepted} points were taken, ${allowed} allowed`);
        limitedShare.push(noisy.limited / noisy.sent);
      }
      process.stdout.write(
        `round ${round + 1}: p95 ${alone.at(-1)?.toFixed(1)} ms alone, ${beside.at(-1)?.toFixed(1)} ms beside\n`,
      );
    }
    const ratio = beside.map((ms, index) => ms / (alone[index] ?? Number.NaN));
    return [
      summarise('noisy-neighbour', 'p95 beside ÷ alone', '×', ratio, { pass: 1.5, aim: 1.2, better: 'lower' }),
      summarise('noisy-neighbour.alone', 'p95 of the quiet tenant', 'ms', alone, { better: 'lower' }),
      summarise('noisy-neighbour.beside', 'p95 beside the noisy one', 'ms', beside, { better: 'lower' }),
      summarise('noisy-neighbour.limited', 'share of the noisy requests turned away', '', limitedShare, {
        better: 'higher',
      }),
    ];
  } finally {
    await pulse.kill();
    rmSync(pulse.dataDir, { recursive: true, force: true });
  }
}
