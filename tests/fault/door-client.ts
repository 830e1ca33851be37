import { join } from 'node:path';
import { createTenant, type PulseProcess } from '../pulse-process.ts';
import { buildRequest, createLedger, type Request, readLedger } from './sender.ts';

/** One answer of the door. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
}

/** A sender of one tenant with its own synced ledger, that looks at every answer and sends refused requests again when asked to. */
export interface DoorClient {
  readonly requests: readonly Request[];
  /** Sends a new request once; the second half of its body not before `rest` resolves. */
  sendNew(rest?: Promise<void>): Promise<Answer>;
  /** Sends what was not acknowledged again, unchanged; answers how many are still not. */
  sendPending(): Promise<number>;
  close(): void;
}

/** What a client needs to go on after an interruption. */
export interface DoorClientState {
  readonly baseMs: number;
  readonly key: string;
}

export async function firstClientState(pulse: PulseProcess, tenant = 'isp-a'): Promise<DoorClientState> {
  const baseMs = Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000;
  return { baseMs, key: await createTenant(pulse, { id: tenant }) };
}

export function createDoorClient(options: {
  readonly dir: string;
  readonly state: DoorClientState;
  readonly pulse: () => PulseProcess;
  readonly tenant?: string;
}): DoorClient {
  const file = join(options.dir, 'ledger');
  const ledger = createLedger(file);
  const { state, tenant = 'isp-a' } = options;
  const { sent, acknowledged } = readLedger(file);
  const requests = [...sent].sort((a, b) => a - b).map((id) => buildRequest(id, tenant, state.baseMs));
  const pending = new Map(requests.filter(({ id }) => !acknowledged.has(id)).map((request) => [request.id, request]));

  async function post(request: Request, rest?: Promise<void>): Promise<Answer> {
    const pulse = options.pulse();
    const base = request.path.startsWith('/v1/') ? pulse.otlpHttp : pulse.http;
    ledger.sending(request);
    try {
      const response = await fetch(`${base}${request.path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${state.key}`,
          'content-type': request.contentType,
          ...(request.gzip ? { 'content-encoding': 'gzip' } : {}),
        },
        ...(rest === undefined
          ? { body: new Uint8Array(request.body) }
          : { body: inHalves(request.body, rest), duplex: 'half' }),
        signal: AbortSignal.timeout(20_000),
      });
      await response.arrayBuffer();
      if (response.status === 200) {
        ledger.acknowledged(request);
        pending.delete(request.id);
      }
      return { status: response.status, retryAfter: response.headers.get('retry-after') };
    } catch {
      // No answer at all: not acknowledged.
      return { status: 0, retryAfter: null };
    }
  }

  return {
    requests,
    sendNew(rest) {
      const request = buildRequest((requests.at(-1)?.id ?? -1) + 1, tenant, state.baseMs);
      requests.push(request);
      pending.set(request.id, request);
      return post(request, rest);
    },
    async sendPending() {
      for (const request of [...pending.values()]) await post(request);
      return pending.size;
    },
    close: () => ledger.close(),
  };
}

function inHalves(body: Buffer, rest: Promise<void>): ReadableStream<Uint8Array> {
  const middle = Math.floor(body.length / 2);
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(new Uint8Array(body.subarray(0, middle)));
      await rest;
      controller.enqueue(new Uint8Array(body.subarray(middle)));
      controller.close();
    },
  });
}
