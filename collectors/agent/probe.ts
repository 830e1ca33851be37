import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { AppError } from 'streams/contract';
import { z } from 'zod';

const Named = {
  /** Shown as attribute `component`. */
  component: z.string().min(1).max(64),
  timeoutMs: z.number().int().min(10).max(60_000).default(5_000),
  /** Slower than this is degraded. */
  degradedMs: z.number().int().min(1).max(60_000).default(1_000),
  faultDomain: z.literal(['platform', 'tenant', 'upstream']).default('platform'),
};

/** What a probe looks at. */
export const ProbeTarget = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('http'), url: z.url({ protocol: /^https?$/ }), ...Named }),
  z.object({ kind: z.literal('tcp'), host: z.string().min(1), port: z.number().int().min(1).max(65535), ...Named }),
  z.object({ kind: z.literal('dns'), name: z.string().min(1).max(253), ...Named }),
]);
export type ProbeTarget = z.infer<typeof ProbeTarget>;

export interface ProbeResult {
  readonly target: ProbeTarget;
  readonly status: 'up' | 'degraded' | 'down';
  /** *Units* seconds until the answer, or until the probe gave up. */
  readonly seconds: number;
  readonly detail: string;
}

/** Validates targets. *Errors* `agent.target_invalid` (400) naming the field. */
export function parseTargets(targets: unknown): ProbeTarget[] {
  const parsed = z.array(ProbeTarget).max(100).safeParse(targets);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = `targets.${issue?.path.join('.') ?? ''}`;
  throw new AppError('agent.target_invalid', `${field}: ${issue?.message ?? 'invalid'}`, { status: 400, field });
}

/** Asks a target once. Never rejects: whatever goes wrong is the answer `down` with its reason. */
export async function runProbe(target: ProbeTarget): Promise<ProbeResult> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    await ask(target);
    const took = seconds();
    const status = took * 1000 > target.degradedMs ? 'degraded' : 'up';
    return {
      target,
      status,
      seconds: took,
      detail: status === 'up' ? 'answered' : `slower than ${target.degradedMs} ms`,
    };
  } catch (error) {
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return {
      target,
      status: 'down',
      seconds: seconds(),
      detail: reason instanceof Error ? reason.message : String(reason),
    };
  }
}

async function ask(target: ProbeTarget): Promise<void> {
  switch (target.kind) {
    case 'http': {
      const answer = await fetch(target.url, { redirect: 'manual', signal: AbortSignal.timeout(target.timeoutMs) });
      await answer.arrayBuffer();
      if (answer.status >= 400) throw new Error(`status ${answer.status}`);
      return;
    }
    case 'tcp':
      return connectOnce(target.host, target.port, target.timeoutMs);
    case 'dns':
      return resolveOnce(target.name, target.timeoutMs);
  }
}

function connectOnce(host: string, port: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    // the socket's own timeout starts again with each lookup and attempt; this one bounds the whole probe
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

async function resolveOnce(name: string, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([lookup(name), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
