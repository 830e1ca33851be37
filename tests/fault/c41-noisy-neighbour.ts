import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startPulse } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { createNeighbours, noise, runWindow, spendBurst } from './noisy-neighbour.ts';
import { percentile } from './otlp-points.ts';

const ratioMax = 1.5;

/** C41: one tenant sends ten times its limit. */
export const noisyNeighbour: FaultCheck = {
  id: 'C41',
  title: 'noisy neighbour',
  guarantee:
    'the noisy tenant gets 429 with Retry-After and exactly its rate, the other one no error and a p95 of at most 1.5 times',
  async run(context) {
    const full = context.size === 'full';
    const [rounds, seconds] = full ? [8, 10] : [1, 1.5];
    const dataDir = join(context.dir, 'data');
    rmSync(dataDir, { recursive: true, force: true });
    const pulse = await startPulse({ dataDir });
    try {
      const neighbours = await createNeighbours(pulse);
      await runWindow(neighbours, 0.5, false);
      const began = performance.now();
      let accepted = await spendBurst(neighbours);
      let [limited, sent] = [0, 0];
      const alone: number[] = [];
      const beside: number[] = [];
      const ratios: number[] = [];
      const wrong: string[] = [];
      let quietErrors = 0;
      for (let round = 0; round < rounds && Date.now() < context.deadline; round++) {
        const windows: { isNoisy: boolean; p95: number }[] = [];
        for (const isNoisy of round % 2 === 0 ? [false, true] : [true, false]) {
          // What was saved while the other window ran is no part of this one.
          if (isNoisy) accepted += await spendBurst(neighbours);
          const window = await runWindow(neighbours, seconds, isNoisy);
          windows.push({ isNoisy, p95: percentile(window.quietMs, 0.95) });
          (isNoisy ? beside : alone).push(...window.quietMs);
          quietErrors += window.quietErrors.length;
          wrong.push(...window.quietErrors, ...window.noisy.others);
          accepted += window.noisy.accepted;
          limited += window.noisy.limited;
          sent += window.noisy.sent;
        }
        const p95 = (isNoisy: boolean) => windows.find((window) => window.isNoisy === isNoisy)?.p95 ?? Number.NaN;
        ratios.push(p95(true) / p95(false));
        context.progress(
          `round ${round + 1}: p95 ${p95(false).toFixed(1)} ms alone, ${p95(true).toFixed(1)} ms beside`,
        );
      }
      const elapsed = (performance.now() - began) / 1000;
      const [p95Alone, p95Beside, ratio] = [percentile(alone, 0.95), percentile(beside, 0.95), percentile(ratios, 0.5)];
      const most = noise.limit * (elapsed + 10) + noise.noisyPointsPerRequest;
      if (accepted > most) wrong.push(`${accepted} points were taken, its limit allows ${Math.round(most)}`);
      if (limited < (full ? sent / 2 : 1)) wrong.push(`only ${limited} of ${sent} requests were turned away`);
      // One short window each, on a machine that does other things as well, says nothing about a ratio.
      if (full && !(ratio <= ratioMax)) wrong.push(`p95 is ${ratio.toFixed(2)} times that alone`);
      return {
        passed: wrong.length === 0,
        figure: `p95 ${p95Alone.toFixed(1)} → ${p95Beside.toFixed(1)} ms, median ratio ${ratio.toFixed(2)} of ${ratios.length}; ${limited} of ${sent} noisy requests 429; quiet errors ${quietErrors} of ${alone.length + beside.length}`,
        details: wrong.slice(0, 20),
      };
    } finally {
      await pulse.kill();
    }
  },
};
