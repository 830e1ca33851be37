import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { call, createTenant, type PulseProcess } from '../pulse-process.ts';
import { encodePoints } from './otlp-points.ts';

/** A tenant that sends steadily, and one that sends ten times what it may. */
export const noise = {
  /** The noisy tenant's limit, points a second. */
  limit: 10_000,
  times: 10,
  noisyPointsPerRequest: 1000,
  quietPointsPerRequest: 100,
  quietEveryMs: 20,
} as const;

export interface Neighbours {
  readonly pulse: PulseProcess;
  readonly quietKey: string;
  readonly noisyKey: string;
}

export interface Window {
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** One latency a request of the quiet tenant, from the moment it was due. *Units* milliseconds. */
  readonly quietMs: readonly number[];
  readonly quietErrors: readonly string[];
  readonly noisy: {
    readonly sent: number;
    readonly accepted: number;
    readonly limited: number;
    readonly others: readonly string[];
  };
}

export async function createNeighbours(pulse: PulseProcess): Promise<Neighbours> {
  const quietKey = await createTenant(pulse, { id: 'quiet' });
  const noisyKey = await createTenant(pulse, { id: 'noisy' });
  const { status } = await call(pulse, '/api/v1/tenants/noisy/limits', {
    method: 'PUT',
    body: { pointsPerSecond: noise.limit },
  });
  if (status !== 200) throw new Error(`the limit was not set: ${status}`);
  return { pulse, quietKey, noisyKey };
}

const noisyBody = (timeMs: number) =>
  gzipSync(encodePoints({ metric: 'noise', timeMs, count: noise.noisyPointsPerRequest, series: (i) => `n${i}` }), {
    level: 1,
  });

/** Uses up what the noisy tenant has saved, so that a window begins at its rate. Answers the points that were taken. */
export async function spendBurst(neighbours: Neighbours): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let accepted = 0;
  for (;;) {
    const { status } = await post(neighbours.pulse.otlpHttp, neighbours.noisyKey, noisyBody(Date.now()), agent);
    if (status === 429) break;
    if (status !== 200) throw new Error(`the noisy tenant was answered ${status}`);
    accepted += noise.noisyPointsPerRequest;
  }
  agent.destroy();
  return accepted;
}

/** Both senders keep their schedule whatever the answers: a slow answer delays no later request, and waiting for a free connection counts. */
export async function runWindow(neighbours: Neighbours, seconds: number, isNoisy: boolean): Promise<Window> {
  const { pulse, quietKey, noisyKey } = neighbours;
  const quietMs: number[] = [];
  const quietErrors: string[] = [];
  const others: string[] = [];
  let accepted = 0;
  let limited = 0;
  const began = performance.now();
  const until = began + seconds * 1000;
  const quietAgent = new Agent({ keepAlive: true, maxSockets: 8 });
  const noisyAgent = new Agent({ keepAlive: true, maxSockets: 8 });
  const quiet = onSchedule(noise.quietEveryMs, until, async (dueMs) => {
    const body = encodePoints({
      metric: 'steady',
      timeMs: Date.now(),
      count: noise.quietPointsPerRequest,
      series: (i) => `q${i}`,
    });
    const { status, retryAfter } = await post(pulse.otlpHttp, quietKey, gzipSync(body, { level: 1 }), quietAgent);
    quietMs.push(performance.now() - dueMs);
    if (status !== 200) quietErrors.push(`quiet: ${status} ${retryAfter ?? ''}`);
  });
  const everyMs = (1000 * noise.noisyPointsPerRequest) / (noise.limit * noise.times);
  const bodies = isNoisy ? Array.from({ length: 8 }, (_, i) => noisyBody(Date.now() + i)) : [];
  let sent = 0;
  const noisy = isNoisy
    ? onSchedule(everyMs, until, async () => {
        const body = bodies[sent++ % bodies.length] ?? Buffer.alloc(0);
        const { status, retryAfter } = await post(pulse.otlpHttp, noisyKey, body, noisyAgent);
        if (status === 200) accepted += noise.noisyPointsPerRequest;
        else if (status === 429 && Number(retryAfter) >= 1) limited++;
        else others.push(`noisy: ${status} ${retryAfter ?? ''}`);
      })
    : Promise.resolve();
  await Promise.all([quiet, noisy]);
  quietAgent.destroy();
  noisyAgent.destroy();
  return {
    seconds: (performance.now() - began) / 1000,
    quietMs,
    quietErrors,
    noisy: { sent, accepted, limited, others },
  };
}

async function onSchedule(everyMs: number, until: number, run: (dueMs: number) => Promise<void>): Promise<void> {
  const running: Promise<void>[] = [];
  for (let due = performance.now(); due < until; due += everyMs) {
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    running.push(run(due));
  }
  await Promise.all(running);
}

function post(
  base: string,
  key: string,
  body: Uint8Array,
  agent: Agent,
): Promise<{ status: number; retryAfter: string | null }> {
  return new Promise((resolve) => {
    const outgoing = request(`${base}/v1/metrics`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/x-protobuf',
        'content-encoding': 'gzip',
        'content-length': body.length,
      },
    });
    outgoing.on('response', (response) => {
      response.resume();
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] ?? null }),
      );
      response.on('error', () => resolve({ status: 0, retryAfter: null }));
    });
    outgoing.on('error', () => resolve({ status: 0, retryAfter: null }));
    outgoing.end(body);
  });
}
