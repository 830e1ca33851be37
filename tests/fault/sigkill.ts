import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { buildRequest, createLedger, type Request, send } from './sender.ts';

/** What a run found, to be compared with what was sent. */
export interface SigkillReport {
  readonly kills: number;
  /** Kills after which at least one unacknowledged request turned out to be in the log already. */
  readonly killsBetweenAppendAndAnswer: number;
  readonly requests: readonly Request[];
  readonly resent: number;
  readonly dataDir: string;
  readonly tenants: readonly string[];
}

const tenants = ['isp-a', 'isp-b', 'isp-c'];
const concurrency = 6;

/**
 * Sends without pause, kills the server `kills` times – every second time at a random moment, otherwise the moment the log's files grew, which is between append and answer –
 * and sends the same bytes again until every request was acknowledged. Stops the server in the end.
 */
export async function runSigkills(kills: number, random: () => number): Promise<SigkillReport> {
  const dataDir = mkdtempSync(join(tmpdir(), 'pulse-sigkill-'));
  const ledger = createLedger(join(dataDir, '..', `${dataDir.split('/').at(-1)}.ledger`));
  const baseMs = Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000;
  let pulse = await startPulse({ dataDir });
  const keys = new Map<string, string>();
  for (const tenant of tenants) keys.set(tenant, await createTenant(pulse, { id: tenant }));

  const requests: Request[] = [];
  let pending: Request[] = [];
  let resent = 0;
  let between = 0;
  for (let round = 0; round <= kills; round += 1) {
    const before = await settledDuplicates(pulse);
    const again = new Set(pending.map(({ id }) => id));
    resent += again.size;
    // What was not acknowledged goes first, alone: duplicates that appear now were appended before the kill.
    await sendAll(pulse, keys, pending, ledger, new AbortController().signal);
    if (again.size > 0 && (await settledDuplicates(pulse)) > before) between += 1;
    if (round === kills) break;
    const stop = new AbortController();
    const fresh = () => {
      const request = buildRequest(requests.length, tenants[requests.length % tenants.length] ?? '', baseMs);
      requests.push(request);
      return request;
    };
    const lost: Request[] = [];
    const senders = Promise.all(
      Array.from({ length: concurrency }, () => sendUntil(pulse, keys, fresh, ledger, stop.signal, lost)),
    );
    await sleep(150 + random() * 350);
    if (round % 2 === 0) await logGrowth(dataDir);
    await pulse.kill();
    stop.abort();
    await senders;
    pending = lost;
    pulse = await startPulse({ dataDir });
  }
  await settledDuplicates(pulse);
  ledger.close();
  await pulse.stop();
  return { kills, killsBetweenAppendAndAnswer: between, requests, resent, dataDir, tenants };
}

type Ledger = ReturnType<typeof createLedger>;
type Keys = ReadonlyMap<string, string>;

async function sendUntil(
  pulse: PulseProcess,
  keys: Keys,
  fresh: () => Request,
  ledger: Ledger,
  signal: AbortSignal,
  lost: Request[],
) {
  while (!signal.aborted) {
    const request = fresh();
    ledger.sending(request);
    if (await deliver(pulse, keys, request, signal)) ledger.acknowledged(request);
    else {
      lost.push(request);
      return;
    }
  }
}

async function sendAll(
  pulse: PulseProcess,
  keys: Keys,
  requests: readonly Request[],
  ledger: Ledger,
  signal: AbortSignal,
) {
  for (const request of requests) {
    await until(
      () => deliver(pulse, keys, request, signal),
      (acknowledged) => acknowledged,
    );
    ledger.acknowledged(request);
  }
}

const deliver = (pulse: PulseProcess, keys: Keys, request: Request, signal: AbortSignal) =>
  send(request, request.path.startsWith('/v1/') ? pulse.otlpHttp : pulse.http, keys.get(request.tenant) ?? '', signal);

/** Waits until everything on the log is stored and rolled up, then answers how many duplicates the ledger explains. */
async function settledDuplicates(pulse: PulseProcess): Promise<number> {
  const read = async () => {
    const text = await (await fetch(`${pulse.http}/metrics`)).text();
    const lags = [...text.matchAll(/^pulse_log_consumer_lag_records\{[^}]*group="store"[^}]*\} (\S+)$/gm)];
    return lags.length === 0 ? Number.NaN : lags.reduce((total, [, lag]) => total + Number(lag), 0);
  };
  await until(read, (lag) => lag === 0, 60);
  const { status, body } = await until(
    () =>
      call<{ balanced: boolean; handovers: { from: string; state: string; counts: { duplicates: number } }[] }>(
        pulse,
        '/api/v1/billing/reconciliation',
      ),
    ({ body }) => body.handovers?.every(({ state }) => state === 'balanced') ?? false,
    60,
  );
  if (status !== 200) throw new Error(`reconciliation answered ${status}`);
  return body.handovers
    .filter(({ from }) => from === 'logged')
    .reduce((total, { counts }) => total + counts.duplicates, 0);
}

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
