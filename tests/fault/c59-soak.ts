import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, type ProcessName, processNames, startCluster } from '../cluster/cluster.ts';
import { compare, nothingPending, startLoad } from '../cluster/load.ts';
import { call } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { residentBytes } from './otlp-points.ts';

/** *Units* seconds. The slope is taken from the time after the restarts, without the first part of it, in which caches fill. */
const sizes = {
  short: { restarting: 20, steady: 10, warmUp: 2 },
  full: { restarting: 480, steady: 720, warmUp: 180 },
} as const;
const successRatioMin = 0.9995;
/** Resident memory may move by so much over the steady part of a full run: what V8 and the engine give back late. */
const growthMiBMax = 48;
const mebibyte = 1024 * 1024;

interface Reading {
  readonly seconds: number;
  readonly bytes: number;
}

/** Least squares through the readings. *Units* MiB a minute. */
export function slopeMiB(readings: readonly Reading[]): number {
  const count = readings.length;
  if (count < 2) return 0;
  const mean = (of: (reading: Reading) => number) => readings.reduce((sum, reading) => sum + of(reading), 0) / count;
  const [x, y] = [mean(({ seconds }) => seconds), mean(({ bytes }) => bytes)];
  const over = readings.reduce((sum, { seconds, bytes }) => sum + (seconds - x) * (bytes - y), 0);
  const under = readings.reduce((sum, { seconds }) => sum + (seconds - x) ** 2, 0);
  return under === 0 ? 0 : (over / under / mebibyte) * 60;
}

/** Restarts one process after the other until the time is over. */
async function rollOver(cluster: Cluster, seconds: number, wrong: string[], until: number): Promise<number> {
  const gapMs = (seconds * 1000) / processNames.length;
  let restarts = 0;
  for (const name of processNames) {
    if (Date.now() > until) break;
    const code = await cluster.restartProcess(name);
    if (code !== 0) wrong.push(`${name} ended with ${code}`);
    restarts += 1;
    await sleep(gapMs / 2);
  }
  return restarts;
}

/** C59: many processes under load for long, restarted one after the other. */
export const soak: FaultCheck = {
  id: 'C59',
  title: 'soak with rolling restarts',
  guarantee: 'a sender with two doors is served, nothing is lost or doubled, and resident memory stands still',
  needs: 'Kafka (Java), PostgreSQL',
  async run(context) {
    const { restarting, steady, warmUp } = sizes[context.size];
    const wrong: string[] = [];
    const cluster = await startCluster({ dir: context.dir, log: context.progress });
    try {
      const load = await startLoad(cluster, { pauseMs: 100 });
      const restarts = await rollOver(cluster, restarting, wrong, context.deadline);
      context.progress(`${restarts} restarts, ${load.acknowledged.length} requests acknowledged`);
      const readings = new Map<ProcessName, Reading[]>(processNames.map((name) => [name, []]));
      const began = Date.now();
      for (let second = 0; second < steady && Date.now() < context.deadline; second++) {
        await sleep(1000);
        const seconds = (Date.now() - began) / 1000;
        if (seconds < warmUp) continue;
        for (const [name, list] of readings)
          list.push({ seconds, bytes: residentBytes(cluster.process(name).child.pid ?? 0) });
      }
      await load.stop();
      const requests = load.acknowledged.length;
      const ratio = 1 - load.sentAgain() / requests;
      wrong.push(...(await compare(cluster, load)));
      await nothingPending(cluster, load.period);
      const { body } = await call<{ balanced: boolean }>(
        cluster.process('streams-2'),
        `/api/v1/billing/reconciliation?period=${load.period}&limit=1`,
      );
      if (!body.balanced) wrong.push('the ledger does not balance');
      const slopes = [...readings].map(([name, list]) => ({ name, slope: slopeMiB(list) }));
      if (context.size === 'full') {
        if (ratio < successRatioMin) wrong.push(`success ratio ${ratio}`);
        for (const { name, slope } of slopes)
          if ((slope * (steady - warmUp)) / 60 > growthMiBMax)
            wrong.push(`${name} grows by ${slope.toFixed(2)} MiB a minute`);
      }
      const memory = slopes.map(({ name, slope }) => `${name} ${slope.toFixed(2)}`).join(', ');
      return {
        passed: wrong.length === 0,
        figure: `${requests} requests, ${restarts} restarts, success ${(ratio * 100).toFixed(3)} %, RSS slope in MiB a minute: ${memory}`,
        details: wrong,
      };
    } finally {
      await cluster.stop();
    }
  },
};
