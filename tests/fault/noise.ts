import { Agent, request } from 'node:http';

/** A tenant that sends steadily, and one that sends ten times what it may. */
export const noise = {
  /** The noisy tenant's limit, points a second. */
  limit: 10_000,
  times: 10,
  noisyPointsPerRequest: 1000,
  quietPointsPerRequest: 100,
  /** Mean of the quiet tenant's gaps. */
  quietEveryMs: 20,
} as const;

/** What the noisy process is told to do. */
export type NoiseOrder = { readonly kind: 'spend' } | { readonly kind: 'send'; readonly seconds: number };

export const senderAgent = (maxSockets: number): Agent => new Agent({ keepAlive: true, maxSockets });

/**
 * Keeps a schedule whatever the answers: a slow one delays no later request, and waiting for a free connection counts.
 *
 * *Shape* what is sent is prepared before it is due, so that preparing is no part of what is measured.
 */
export async function onSchedule<T>(
  gapMs: () => number,
  until: number,
  prepare: () => T,
  run: (prepared: T, dueMs: number) => Promise<void>,
): Promise<void> {
  const running: Promise<void>[] = [];
  for (let due = performance.now() + gapMs(); due < until; due += gapMs()) {
    const prepared = prepare();
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    running.push(run(prepared, due));
  }
  await Promise.all(running);
}

/** Sends gzipped OTLP metrics; status 0: the connection broke. */
export function postMetrics(
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
