import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { AppError } from 'streams/contract';
import { z } from 'zod';
import { Summary } from './summary.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Where the kubelet of this node is, and who we are to it. */
export const KubeletConfig = z.strictObject({
  /** `https://NODE:10250`. */
  url: z.url({ protocol: /^https$/ }),
  tokenFile: z.string().min(1).default(`${SERVICE_ACCOUNT}/token`),
  caFile: z.string().min(1).default(`${SERVICE_ACCOUNT}/ca.crt`),
  /** The name that the kubelet's certificate carries, where it is not the one in `url`. */
  serverName: z.string().min(1).optional(),
  intervalMs: z.coerce.number().int().min(1_000).max(3_600_000).default(15_000),
  timeoutMs: z.coerce.number().int().min(100).max(60_000).default(10_000),
  /** The tenant's namespaces, null for all: the answer has every tenant's pods of the node. */
  namespaces: z.array(z.string().min(1)).min(1).nullable(),
});
export type KubeletConfig = z.infer<typeof KubeletConfig>;

/** A node has 110 pods, 250 at most; their answer is below 2 MiB. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Asks the kubelet for `/stats/summary`. Token and CA are read each time: Kubernetes replaces them in place, the token every hour.
 *
 * *Errors* `agent.kubelet_unreachable` (no connection, wrong certificate, too slow), `agent.kubelet_refused` (401, 403: the service account needs `get nodes/stats`),
 * `agent.kubelet_answer` (other status, or no Summary). All retryable.
 */
export async function readSummary(config: KubeletConfig): Promise<Summary> {
  const [token, ca] = await Promise.all([readFile(config.tokenFile, 'utf8'), readFile(config.caFile)]).catch(
    (cause: unknown) => {
      throw kubeletError('agent.kubelet_unreachable', 'token or CA cannot be read', cause);
    },
  );
  const { status, body } = await get(config, token.trim(), ca);
  if (status === 401 || status === 403) {
    throw kubeletError('agent.kubelet_refused', `status ${status}; the service account needs get on nodes/stats`);
  }
  if (status !== 200) throw kubeletError('agent.kubelet_answer', `status ${status}`);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw kubeletError('agent.kubelet_answer', 'not JSON', cause);
  }
  const parsed = Summary.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw kubeletError('agent.kubelet_answer', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'no Summary'}`);
}

function get(config: KubeletConfig, token: string, ca: Buffer): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(
        cause instanceof AppError
          ? cause
          : kubeletError('agent.kubelet_unreachable', cause instanceof Error ? cause.message : String(cause), cause),
      );
    const call = request(
      new URL('/stats/summary', config.url),
      {
        ca,
        headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
        signal: AbortSignal.timeout(config.timeoutMs),
        // a connection of its own: a rotated CA must count at once
        agent: false,
        ...(config.serverName === undefined ? {} : { servername: config.serverName }),
      },
      (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > ANSWER_BYTES_MAX) call.destroy(kubeletError('agent.kubelet_answer', 'larger than 32 MiB'));
          else parts.push(part);
        });
        response.on('error', fail);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
      },
    );
    call.on('error', fail);
    call.end();
  });
}

function kubeletError(code: string, message: string, cause?: unknown): AppError {
  return new AppError(code, `kubelet: ${message}`, {
    status: 502,
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
