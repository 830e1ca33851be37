import { setTimeout as sleep } from 'node:timers/promises';
import { buildRequest, type Request, send } from '../fault/sender.ts';
import { call, createTenant, until } from '../pulse-process.ts';
import { type Cluster, processNames, startCluster } from './cluster.ts';

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

/** One run of the cluster: a known load for `seconds` while each process is killed once, then every count against the source. True when all agree. */
export async function runClusterDemo(options: {
  readonly dir: string;
  readonly seconds: number;
  readonly say: (line: string) => void;
  /** Runs `pulse reconcile` against the API and answers its exit code. */
  readonly reconcile: (url: string, token: string, period: string) => number;
}): Promise<boolean> {
  const { say, seconds } = options;
  const cluster = await startCluster({ dir: options.dir, log: say });
  try {
    const api = () => cluster.process('streams-2');
    const keys = new Map<string, string>();
    for (const id of tenants) keys.set(id, await createTenant(api(), { id, timeZone: 'UTC' }));
    // Hours that are over, so that every hand-over of theirs is due at the end.
    const baseMs = Math.floor((Date.now() - 4 * hourMs) / hourMs) * hourMs;
    const load = startLoad(cluster, keys, baseMs);
    const killed: string[] = [];
    const gap = (seconds * 1000) / (processNames.length + 2);
    for (const name of processNames) {
      await sleep(gap);
      await cluster.killProcess(name, 500);
      killed.push(name);
      say(`SIGKILL ${name}: back and ready; ${load.acknowledged.length} requests acknowledged`);
    }
    await sleep(gap);
    await cluster.killBroker(2000);
    killed.push('broker');
    say(`SIGKILL of the broker: back and ready; ${load.acknowledged.length} requests acknowledged`);
    await sleep(gap);
    await load.stop();
    say(`${load.acknowledged.length} requests acknowledged, ${load.repeats()} of them sent more than once`);
    const differences = await compare(cluster, load.acknowledged, baseMs);
    for (const line of differences) say(line);
    const period = new Date(baseMs).toISOString().slice(0, 7);
    await until(
      () =>
        call<{ balanced: boolean; handovers: unknown[] }>(
          api(),
          `/api/v1/billing/reconciliation?period=${period}&state=pending&limit=10`,
        ),
      ({ status, body }) => status === 200 && body.handovers.length === 0,
      120,
    );
    const code = options.reconcile(api().http, cluster.token, period);
    say(`pulse reconcile ended with ${code}; killed once each: ${killed.join(', ')}`);
    return code === 0 && differences.length === 0;
  } finally {
    await cluster.stop();
  }
}

/** Sends numbered requests through both doors, as a load balancer would, each again and again until one of them acknowledges it. */
function startLoad(cluster: Cluster, keys: ReadonlyMap<string, string>, baseMs: number) {
  const acknowledged: Request[] = [];
  const stopping = new AbortController();
  let next = 0;
  let repeated = 0;
  const failures: unknown[] = [];
  async function deliver(request: Request): Promise<void> {
    const deadline = Date.now() + patienceMs;
    for (let attempt = 0; ; attempt++) {
      const door = cluster.process((request.id + attempt) % 2 === 0 ? 'ingest-1' : 'ingest-2');
      if (await send(request, door.http, keys.get(request.tenant) ?? '', AbortSignal.timeout(20_000))) {
        acknowledged.push(request);
        if (attempt > 0) repeated += 1;
        return;
      }
      if (Date.now() > deadline) throw new Error(`request ${request.id} was not taken for ${patienceMs / 1000} s`);
      await sleep(100);
    }
  }
  const loops = Array.from({ length: senders }, async () => {
    while (!stopping.signal.aborted && failures.length === 0) {
      const id = next++;
      await deliver(buildRequest(id, tenants[id % tenants.length] ?? '', baseMs)).catch((error) =>
        failures.push(error),
      );
      await sleep(20);
    }
  });
  return {
    acknowledged,
    repeats: () => repeated,
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** Waits until the API counts what was sent; what still differs then, a line a tenant. */
async function compare(cluster: Cluster, requests: readonly Request[], baseMs: number): Promise<string[]> {
  const range = `start=${new Date(baseMs - hourMs).toISOString()}&end=${new Date(baseMs + 48 * hourMs).toISOString()}`;
  const differences: string[] = [];
  for (const tenant of tenants) {
    const own = requests.filter((request) => request.tenant === tenant);
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
