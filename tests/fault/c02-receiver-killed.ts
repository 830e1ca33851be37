import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEmbeddedLog } from 'streams/log';
import { systemClock } from 'streams/runtime';
import { createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import type { CheckContext, CheckOutcome, FaultCheck } from './check.ts';
import { judge, readStored, sentTotals } from './oracle.ts';
import { buildRequest, createLedger, type Request, readLedger, send } from './sender.ts';
import { settled } from './settled.ts';

const tenants = ['isp-a', 'isp-b', 'isp-c'];
const concurrency = 6;

/** What is kept over an interruption; the requests themselves follow from their numbers in the ledger. */
interface Progress {
  readonly kills: number;
  readonly baseMs: number;
  readonly keys: Readonly<Record<string, string>>;
}

/** C02: the whole server is killed under load at random moments, every second time the moment the log's files grew, which is between append and answer. */
export const receiverKilled: FaultCheck = {
  id: 'C02',
  title: 'SIGKILL of the server under load',
  guarantee: 'every acknowledged record is stored exactly once, roll-ups included',
  async run(context) {
    const kills = context.size === 'full' ? 200 : 2;
    const dataDir = join(context.dir, 'data');
    const ledgerFile = join(context.dir, 'ledger');
    let progress = context.resumed as Progress | null;
    let pulse = await startPulse({ dataDir });
    if (progress === null) {
      progress = await firstProgress(pulse);
      context.save(progress);
    }
    const requests = rebuild(ledgerFile, progress.baseMs);
    const ledger = createLedger(ledgerFile);
    try {
      while (progress.kills < kills && Date.now() < context.deadline) {
        await loadUntilKilled(pulse, { requests, ledger, progress, dataDir });
        progress = { ...progress, kills: progress.kills + 1 };
        context.save(progress);
        if (progress.kills % 20 === 0) context.progress(`${progress.kills} kills, ${requests.all.length} requests`);
        pulse = await startPulse({ dataDir });
      }
      await sendPending(pulse, { requests, ledger, progress });
      await settled(pulse);
    } finally {
      await pulse.stop();
      ledger.close();
    }
    return outcome(context, { kills, progress, requests: requests.all, dataDir });
  },
};

interface Requests {
  readonly all: Request[];
  /** Sent, and not acknowledged: they are sent again, unchanged, until they are. */
  pending: Request[];
}
interface Load {
  readonly requests: Requests;
  readonly ledger: ReturnType<typeof createLedger>;
  readonly progress: Progress;
}

async function firstProgress(pulse: PulseProcess): Promise<Progress> {
  const keys: Record<string, string> = {};
  for (const tenant of tenants) keys[tenant] = await createTenant(pulse, { id: tenant });
  return { kills: 0, baseMs: Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000, keys };
}

/** Every ten requests, no more than fall between two kills, have hours of their own: hours that are touched again would mend by themselves what a kill left wrong in them. */
const requestOf = (id: number, baseMs: number) =>
  buildRequest(id, tenants[id % tenants.length] ?? '', baseMs - (Math.floor(id / 10) % hourPairs) * 2 * 3_600_000);
/** Two weeks: older usage events are refused. */
const hourPairs = 168;

function rebuild(ledgerFile: string, baseMs: number): Requests {
  if (!existsSync(ledgerFile)) return { all: [], pending: [] };
  const { sent, acknowledged } = readLedger(ledgerFile);
  const all = [...sent].sort((a, b) => a - b).map((id) => requestOf(id, baseMs));
  return { all, pending: all.filter(({ id }) => !acknowledged.has(id)) };
}

/** Sends from several senders until the server has been killed. What it did not acknowledge is pending afterwards. */
async function loadUntilKilled(pulse: PulseProcess, load: Load & { readonly dataDir: string }): Promise<void> {
  const { requests, ledger, progress } = load;
  const stop = new AbortController();
  const lost: Request[] = [];
  const next = () => {
    const waiting = requests.pending.shift();
    if (waiting !== undefined) return waiting;
    const request = requestOf((requests.all.at(-1)?.id ?? -1) + 1, progress.baseMs);
    requests.all.push(request);
    return request;
  };
  const sender = async () => {
    while (!stop.signal.aborted) {
      const request = next();
      ledger.sending(request);
      if (!(await deliver(pulse, progress, request, stop.signal))) {
        lost.push(request);
        return;
      }
      ledger.acknowledged(request);
    }
  };
  const senders = Promise.all(Array.from({ length: concurrency }, sender));
  await sleep(50 + Math.random() * 300);
  if (progress.kills % 2 === 0) await logGrowth(load.dataDir);
  await pulse.kill();
  stop.abort();
  await senders;
  requests.pending = [...lost, ...requests.pending];
}

async function sendPending(pulse: PulseProcess, { requests, ledger, progress }: Load): Promise<void> {
  const { signal } = new AbortController();
  for (const request of requests.pending) {
    await until(
      () => deliver(pulse, progress, request, signal),
      (acknowledged) => acknowledged,
    );
    ledger.acknowledged(request);
  }
  requests.pending = [];
}

const deliver = (pulse: PulseProcess, { keys }: Progress, request: Request, signal: AbortSignal) =>
  send(request, request.path.startsWith('/v1/') ? pulse.otlpHttp : pulse.http, keys[request.tenant] ?? '', signal);

/** Resolves when a segment of the telemetry log has grown: a request was appended and not yet answered. */
async function logGrowth(dataDir: string): Promise<void> {
  const size = () =>
    readdirSync(join(dataDir, 'log'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.includes('telemetry'))
      .reduce((total, file) => total + (statSync(join(dataDir, 'log', file), { throwIfNoEntry: false })?.size ?? 0), 0);
  const before = size();
  const deadline = Date.now() + 2000;
  while (size() === before && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
}

async function outcome(
  context: CheckContext,
  run: { kills: number; progress: Progress; requests: readonly Request[]; dataDir: string },
): Promise<CheckOutcome> {
  const { progress, requests } = run;
  const between = await appendedTwice(run.dataDir);
  const { verdict, differences } = await judge(sentTotals(requests), () => readStored(run.dataDir));
  const figure = `${progress.kills} kills, ${requests.length} requests, ${between} of them killed between append and answer, ${differences.length} totals lost or doubled`;
  if (progress.kills < run.kills) return { passed: false, unfinished: true, figure, details: differences.slice(0, 20) };
  // A run in which no kill fell between append and answer has not tried what it is for. Two kills can miss it on a busy machine.
  const tried = between >= (context.size === 'full' ? 5 : 0);
  return {
    passed: verdict === 'MATCH' && tried,
    figure,
    details: [...differences.slice(0, 20), ...(tried ? [] : ['too few kills fell between append and answer'])],
  };
}

/** Requests that stand in the log more than once: appended, not answered, and sent again. */
async function appendedTwice(dataDir: string): Promise<number> {
  const log = createEmbeddedLog({ dir: join(dataDir, 'log'), clock: systemClock });
  await log.start();
  const seen = new Set<string>();
  const again = new Set<string>();
  try {
    for (const { partition, first, next } of await log.offsets('telemetry')) {
      for await (const { key, payload } of log.read('telemetry', partition, first, next)) {
        const name = createHash('sha256').update(key).update(payload).digest('base64');
        if (seen.has(name)) again.add(name);
        seen.add(name);
      }
    }
  } finally {
    await log.stop();
  }
  return again.size;
}
