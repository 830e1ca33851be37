import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { call, createTenant, type PulseProcess } from '../pulse-process.ts';
import { type NoiseOrder, noise, onSchedule, postMetrics, senderAgent } from './noise.ts';
import { encodePoints } from './otlp-points.ts';

export { noise } from './noise.ts';

export interface Neighbours {
  readonly pulse: PulseProcess;
  readonly quietKey: string;
  /** Sends for the noisy tenant; ends with the server. */
  readonly noisy: ChildProcess;
}

interface Noise {
  readonly sent: number;
  readonly accepted: number;
  readonly limited: number;
  readonly others: readonly string[];
}

export interface Window {
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** One latency a request of the quiet tenant, from the moment it was due. *Units* milliseconds. */
  readonly quietMs: readonly number[];
  readonly quietErrors: readonly string[];
  readonly noisy: Noise;
}

export async function createNeighbours(pulse: PulseProcess): Promise<Neighbours> {
  const quietKey = await createTenant(pulse, { id: 'quiet' });
  const noisyKey = await createTenant(pulse, { id: 'noisy' });
  const { status } = await call(pulse, '/api/v1/tenants/noisy/limits', {
    method: 'PUT',
    body: { pointsPerSecond: noise.limit },
  });
  if (status !== 200) throw new Error(`the limit was not set: ${status}`);
  const noisy = fork(join(import.meta.dirname, 'noisy-process.ts'), [pulse.otlpHttp, noisyKey], { execArgv: [] });
  pulse.child.once('exit', () => noisy.connected && noisy.disconnect());
  return { pulse, quietKey, noisy };
}

function order<T>(noisy: ChildProcess, what: NoiseOrder): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the noisy process has ended'));
    noisy.once('exit', ended);
    noisy.once('message', (answer: { outcome?: T; error?: string }) => {
      noisy.off('exit', ended);
      if (answer.outcome === undefined) reject(new Error(answer.error ?? 'no outcome'));
      else resolve(answer.outcome);
    });
    noisy.send(what);
  });
}

/** Uses up what the noisy tenant has saved, so that a window begins at its rate. Answers the points that were taken. */
export const spendBurst = ({ noisy }: Neighbours): Promise<number> => order(noisy, { kind: 'spend' });

/** Numbers in [0, 1), the same ones in every run. *Source* Numerical Recipes, "quick and dirty" generator. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Requests of the quiet tenant come at random, so that they see the server as it is on average: at fixed steps they would always meet, or always miss, the steps of the noisy one. */
const random = seeded(20_261_121);
const quietGapMs = () => -Math.log(1 - random()) * noise.quietEveryMs;

const quietBody = () =>
  gzipSync(
    encodePoints({
      metric: 'steady',
      timeMs: Date.now(),
      count: noise.quietPointsPerRequest,
      series: (i) => `q${i}`,
    }),
    { level: 1 },
  );

const silence: Noise = { sent: 0, accepted: 0, limited: 0, others: [] };

/** The quiet tenant sends and is measured, alone or beside the noisy one. */
export async function runWindow(neighbours: Neighbours, seconds: number, isNoisy: boolean): Promise<Window> {
  const { pulse, quietKey, noisy } = neighbours;
  const quietMs: number[] = [];
  const quietErrors: string[] = [];
  const began = performance.now();
  const noisyDone: Promise<Noise> = isNoisy ? order(noisy, { kind: 'send', seconds }) : Promise.resolve(silence);
  const agent = senderAgent(8);
  await onSchedule(quietGapMs, began + seconds * 1000, quietBody, async (body, dueMs) => {
    const { status, retryAfter } = await postMetrics(pulse.otlpHttp, quietKey, body, agent);
    quietMs.push(performance.now() - dueMs);
    if (status !== 200) quietErrors.push(`quiet: ${status} ${retryAfter ?? ''}`);
  });
  agent.destroy();
  const outcome = await noisyDone;
  return { seconds: (performance.now() - began) / 1000, quietMs, quietErrors, noisy: outcome };
}
