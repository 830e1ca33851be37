import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { AppError } from 'streams/contract';

const compress = promisify(gzip);
const RETRIED = new Set([408, 429, 502, 503, 504]);
const BACKOFF_MS_MAX = 15_000;

/** What the sender needs from outside; tests pass a recorded `fetch` and a wait that does not wait. */
export interface SenderDependencies {
  readonly fetch: typeof fetch;
  wait(ms: number, signal: AbortSignal): Promise<void>;
  random(): number;
}

export interface Sender {
  /** One OTLP request, gzip. Returns how many records the server refused by partial success. */
  otlp(signal: 'metrics' | 'traces' | 'logs', apiKey: string, body: Uint8Array): Promise<number>;
  /** A CloudEvents batch. */
  events(apiKey: string, events: readonly unknown[]): Promise<void>;
  /** A JSON call of the API; a status in `accepted` is returned, another one thrown. */
  api(
    method: string,
    path: string,
    token: string,
    body: unknown,
    accepted: readonly number[],
  ): Promise<{ status: number; body: unknown }>;
}

/**
 * Sends over HTTP until it is acknowledged: the same bytes again after 429, 502, 503, 504 and broken connections, honouring `Retry-After`.
 *
 * *Errors* `fleet.refused` (not retryable) with status and the server's code; `fleet.stopped` when `signal` aborts.
 */
export function createSender(
  addresses: { apiUrl: string; otlpUrl: string },
  signal: AbortSignal,
  dependencies: SenderDependencies,
): Sender {
  const send = async (url: string, init: RequestInit, accepted: readonly number[]): Promise<Response> => {
    for (let attempt = 0; ; attempt += 1) {
      if (signal.aborted) throw stopped();
      const answer = await attemptOnce(url, init, dependencies, signal);
      if (answer !== undefined && accepted.includes(answer.status)) return answer;
      if (answer !== undefined && !RETRIED.has(answer.status)) throw await refused(url, answer);
      // the body is drained so that the connection can be used again
      await answer?.arrayBuffer().catch(() => undefined);
      await dependencies.wait(delayMs(answer, attempt, dependencies.random()), signal);
    }
  };
  return {
    async otlp(kind, apiKey, body) {
      const answer = await send(
        `${addresses.otlpUrl}/v1/${kind}`,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${apiKey}`,
            'content-type': 'application/x-protobuf',
            'content-encoding': 'gzip',
          },
          body: await compress(body, { level: 1 }),
        },
        [200],
      );
      return rejectedRecords(new Uint8Array(await answer.arrayBuffer()));
    },
    async events(apiKey, events) {
      const answer = await send(
        `${addresses.apiUrl}/api/v1/plugins/usage-events`,
        {
          method: 'POST',
          headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/cloudevents-batch+json' },
          body: JSON.stringify(events),
        },
        [200, 201, 202, 204],
      );
      await answer.arrayBuffer();
    },
    async api(method, path, token, body, accepted) {
      const answer = await send(
        `${addresses.apiUrl}${path}`,
        {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        },
        accepted,
      );
      const received = await answer.text();
      return { status: answer.status, body: received === '' ? null : (JSON.parse(received) as unknown) };
    },
  };
}

async function attemptOnce(
  url: string,
  init: RequestInit,
  dependencies: SenderDependencies,
  signal: AbortSignal,
): Promise<Response | undefined> {
  try {
    return await dependencies.fetch(url, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(60_000)]) });
  } catch (error) {
    if (signal.aborted) throw stopped();
    // `fetch` rejects with a TypeError for a connection that broke and a timeout for one that hangs: both are tried again
    if (error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError'))
      return undefined;
    throw error;
  }
}

/** *Units* milliseconds: what the server asks for, or else 0.25 s doubling to 15 s, with up to a quarter more. */
export function delayMs(answer: Response | undefined, attempt: number, random: number): number {
  const asked = answer?.headers.get('retry-after') ?? null;
  const backoff = Math.min(BACKOFF_MS_MAX, 250 * 2 ** Math.min(attempt, 10)) * (1 + random / 4);
  if (asked === null) return backoff;
  const seconds = /^\d+$/.test(asked) ? Number(asked) : (Date.parse(asked) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(300_000, Math.max(seconds * 1000, 100)) : backoff;
}

async function refused(url: string, answer: Response): Promise<AppError> {
  const detail = (await answer.text().catch(() => '')).slice(0, 500);
  return new AppError('fleet.refused', `${new URL(url).pathname} answered ${answer.status}: ${detail}`, {
    status: 502,
    context: { url, status: answer.status },
  });
}

function stopped(): AppError {
  return new AppError('fleet.stopped', 'the fleet was asked to stop');
}

/** `rejected_…` of an OTLP `partial_success`: field 1 of field 1 in all three responses; 0 when everything was taken. */
export function rejectedRecords(body: Uint8Array): number {
  if (body[0] !== 0x0a) return 0;
  const inner = varintAt(body, 1).next;
  return body[inner] === 0x08 ? varintAt(body, inner + 1).value : 0;
}

function varintAt(body: Uint8Array, start: number): { value: number; next: number } {
  let value = 0;
  let factor = 1;
  for (let index = start; index < body.length; index += 1) {
    const byte = body[index] ?? 0;
    value += (byte & 127) * factor;
    if (byte < 128) return { value, next: index + 1 };
    factor *= 128;
  }
  return { value, next: body.length };
}
