import { setTimeout as sleep } from 'node:timers/promises';
import { buildRequest, type Request, send } from '../fault/sender.ts';
import { call, createTenant, until } from '../pulse-process.ts';
import type { Cluster } from './cluster.ts';

const tenants = ['isp-alpha', 'isp-beta', 'isp-gamma', 'isp-delta'];
const hourMs = 3_600_000;
const senders = 6;
/** A request that nobody takes for so long is a failure: every process comes back within seconds. */
const patienceMs = 120_000;

interface Counts {
  readonly points: number;
  readonly spans: number;
  readonly logRecords: number;
  readonly usageEvents: number;
}

/** A known load: what was acknowledged is what must be there. */
export interface Load {
  readonly acknowledged: readonly Request[];
  /** Start of the first hour that it writes to; hours that are over, so that every hand-over of theirs is due at the end. */
  readonly baseMs: number;
  /** The month of `baseMs`. */
  readonly period: string;
  /** Requests that neither door took at the first pass, as a load balancer with two upstreams would see it. */
  sentAgain(): number;
  /** Lets what is in hand be delivered. *Errors* the first refusal that was not "come again". */
  stop(): Promise<void>;
}

/** Sends numbered requests through both doors, each again and again until one of them acknowledges it. */
export async function startLoad(cluster: Cluster, options: { readonly pauseMs: number }): Promise<Load> {
  const keys = new Map<string, string>();
  for (const id of tenants) keys.set(id, await createTenant(cluster.process('streams-2'), { id, timeZone: 'UTC' }));
  // A second a request: twenty minutes write to six hours and more, none of which may lie ahead.
  const baseMs = Math.floor((Date.now() - 12 * hourMs) / hourMs) * hourMs;
  const acknowledged: Request[] = [];
  const stopping = new AbortController();
  const failures: unknown[] = [];
  let next = 0;
  let again = 0;
  const tryDoor = (request: Request, number: number) =>
    send(
      request,
      cluster.process(number % 2 === 0 ? 'ingest-1' : 'ingest-2').http,
      keys.get(request.tenant) ?? '',
      AbortSignal.timeout(20_000),
    );
  async function deliver(request: Request): Promise<void> {
    const deadline = Date.now() + patienceMs;
    for (let pass = 0; Date.now() < deadline; pass++) {
      if ((await tryDoor(request, request.id)) || (await tryDoor(request, request.id + 1))) {
        acknowledged.push(request);
        return;
      }
      if (pass === 0) again += 1;
      await sleep(100);
    }
    throw new Error(`request ${request.id} was not taken for ${patienceMs / 1000} s`);
  }
  const loops = Array.from({ length: senders }, async () => {
    while (!stopping.signal.aborted && failures.length === 0) {
      const id = next++;
      await deliver(buildRequest(id, tenants[id % tenants.length] ?? '', baseMs)).catch((error) =>
        failures.push(error),
      );
      await sleep(options.pauseMs);
    }
  });
  return {
    acknowledged,
    baseMs,
    period: new Date(baseMs).toISOString().slice(0, 7),
    sentAgain: () => again,
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** Waits until the API counts what was acknowledged; what still differs then, a line a tenant. */
export async function compare(cluster: Cluster, { acknowledged, baseMs }: Load): Promise<string[]> {
  const instant = (ms: number) => new Date(ms).toISOString();
  const range = `start=${instant(baseMs - hourMs)}&end=${instant(baseMs + 48 * hourMs)}`;
  const differences: string[] = [];
  for (const tenant of tenants) {
    const own = acknowledged.filter((request) => request.tenant === tenant);
    const sum = (of: (request: Request) => number) => own.reduce((total, request) => total + of(request), 0);
    const sent: Counts = {
      points: sum(({ points }) => points.length),
      spans: sum(({ spans }) => spans),
      logRecords: sum(({ logRecords }) => logRecords),
      usageEvents: sum(({ events }) => events.count),
    };
    const wanted = JSON.stringify(sent);
    const read = async () => {
      const { body } = await call<Counts>(
        cluster.process('streams-2'),
        `/api/v1/telemetry/counts?tenant=${tenant}&${range}`,
      );
      const { points, spans, logRecords, usageEvents } = body;
      return JSON.stringify({ points, spans, logRecords, usageEvents });
    };
    const held = await until(read, (answer) => answer === wanted, 120).catch(read);
    if (held !== wanted) differences.push(`${tenant}: sent ${wanted}, stored ${held}`);
  }
  return differences;
}

/** Waits until no hand-over of the period is pending. */
export async function nothingPending(cluster: Cluster, period: string): Promise<void> {
  const path = `/api/v1/billing/reconciliation?period=${period}&state=pending&limit=10`;
  await until(
    () => call<{ handovers: unknown[] }>(cluster.process('streams-2'), path),
    ({ status, body }) => status === 200 && body.handovers.length === 0,
    120,
  );
}
