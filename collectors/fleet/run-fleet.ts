import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from 'streams/contract';
import { createSender, type Sender, type SenderDependencies } from './http-sender.ts';
import { MetricsEncoder } from './metrics-encoder.ts';
import { PROFILES, type Profile } from './profile.ts';
import { DAY_MS } from './rhythm.ts';
import { historyWindows, type Window } from './schedule.ts';
import { type FleetState, readState, writeState } from './state-file.ts';
import { TenantModel } from './tenant-model.ts';
import { TenantSeries } from './tenant-series.ts';
import { encodeLogs, encodeSpans, logsBetween, spansBetween } from './traces-logs.ts';
import { eventsBetween } from './usage.ts';

const SCOPE = 'dotmac.fleet';
/** Requests under way at once, of different tenants: one tenant's time only ever goes forward. */
const IN_FLIGHT = 4;
const EVENTS_A_BATCH = 500;
const LIVE_STEP_MS = 15_000;
const SAVE_EVERY_MS = 1_000;

export interface FleetProgress {
  readonly phase: 'history' | 'live';
  /** 0…1 of the history. */
  readonly fraction: number;
  readonly points: number;
  readonly pointsPerSecond: number;
  readonly etaSeconds: number | null;
  /** Records that the server refused by partial success. */
  readonly rejected: number;
}

export interface FleetOptions {
  readonly apiUrl: string;
  readonly otlpUrl: string;
  readonly operatorToken: string;
  readonly stateDir: string;
  readonly seed: number;
  readonly days: number;
  readonly tenantCount: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: FleetProgress) => void;
  /** Stop when the past is sent up to the present, instead of going on live; default false. */
  readonly historyOnly?: boolean;
  readonly sender?: SenderDependencies;
}

interface Member {
  readonly profile: Profile;
  readonly apiKey: string;
  readonly series: TenantSeries;
  readonly encoder: MetricsEncoder;
  readonly resource: Readonly<Record<string, string | boolean>>;
}

interface Run {
  readonly options: FleetOptions;
  readonly sender: Sender;
  readonly file: string;
  readonly state: FleetState;
  readonly members: readonly Member[];
  points: number;
  rejected: number;
  savedAtMs: number;
}

/**
 * Simulates the fleet over HTTP: creates its tenants, sends their past as fast as it is taken, then goes on live. Returns when `signal` aborts.
 * A second start with the same `stateDir` sends only what is missing.
 *
 * *Errors* `fleet.option_invalid`, `fleet.refused`, `fleet.state_invalid`; none is retryable without a change.
 */
export async function runFleet(options: FleetOptions): Promise<void> {
  checkOptions(options);
  const sender = createSender(options, options.signal, options.sender ?? { fetch, wait, random: Math.random });
  const file = join(options.stateDir, 'fleet.json');
  try {
    const state = await prepareTenants(options, sender, file);
    const members = PROFILES.slice(0, options.tenantCount).map((profile) => createMember(profile, state));
    const run: Run = { options, sender, file, state, members, points: 0, rejected: 0, savedAtMs: 0 };
    try {
      await sendHistory(run);
      if (options.historyOnly !== true) await sendLive(run);
    } finally {
      await writeState(file, state);
    }
  } catch (error) {
    if (error instanceof AppError && error.code === 'fleet.stopped') return;
    throw error;
  }
}

function checkOptions(options: FleetOptions): void {
  const whole = (field: 'seed' | 'days' | 'tenantCount', min: number, max: number) => {
    const value = options[field];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new AppError('fleet.option_invalid', `${field}: a whole number ${min} to ${max}`, { status: 400, field });
    }
  };
  whole('seed', 0, 4294967295);
  whole('days', 1, 390);
  whole('tenantCount', 1, PROFILES.length);
}

function createMember(profile: Profile, state: FleetState): Member {
  const resource = {
    'service.namespace': 'dotmac',
    'service.name': 'isp-framework',
    'service.instance.id': `${profile.id}-1`,
    'service.version': '4.2.0',
    'cloud.region': profile.region,
    'dotmac.tenant.id': profile.id,
    // so that nobody takes these numbers for a customer's
    'dotmac.simulated': true,
  };
  const kept = state.tenants[profile.id];
  if (kept === undefined) throw new Error(`invariant: no key of ${profile.id}`);
  return {
    profile,
    apiKey: kept.apiKey,
    series: new TenantSeries(new TenantModel(profile, state.seed, state.epochMs)),
    encoder: new MetricsEncoder(resource, SCOPE, state.epochMs),
    resource,
  };
}

/** Creates what is missing. The epoch follows from the first tenant's creation, so a lost state file gives the same history again. */
async function prepareTenants(options: FleetOptions, sender: Sender, file: string): Promise<FleetState> {
  let state = await readState(file);
  for (const profile of PROFILES.slice(0, options.tenantCount)) {
    if (state?.tenants[profile.id] !== undefined) continue;
    const { id, name, tier, plan, region, currency, timeZone } = profile;
    const created = await sender.api(
      'POST',
      '/api/v1/tenants',
      options.operatorToken,
      { id, name, tier, plan, region, currency, timeZone, partnerId: null },
      [201, 409],
    );
    if (state === undefined) {
      const tenant =
        created.status === 201
          ? created.body
          : (await sender.api('GET', `/api/v1/tenants/${id}`, options.operatorToken, undefined, [200])).body;
      const createdAt = Date.parse(text(tenant, 'createdAt'));
      state = {
        version: 1,
        seed: options.seed,
        epochMs: Math.floor(createdAt / DAY_MS) * DAY_MS - options.days * DAY_MS,
        tenants: {},
      };
    }
    const key = await sender.api(
      'POST',
      `/api/v1/tenants/${id}/api-keys`,
      options.operatorToken,
      { name: 'fleet', scopes: ['backfill'], expiresAt: null },
      [200, 201],
    );
    state.tenants[profile.id] = { apiKey: text(key.body, 'apiKey'), sentToMs: state.epochMs };
    await writeState(file, state);
  }
  if (state === undefined) throw new Error('invariant: at least one tenant');
  return state;
}

function text(body: unknown, field: string): string {
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  if (typeof value !== 'string') throw new AppError('fleet.refused', `the answer has no ${field}`, { field });
  return value;
}

async function sendHistory(run: Run): Promise<void> {
  const started = run.options.now();
  // minutes pass while days are sent: each round closes the gap that the last one left
  let from = Math.min(...run.members.map((member) => sentTo(run, member)));
  const origin = from;
  for (;;) {
    const end = Math.floor(run.options.now() / LIVE_STEP_MS) * LIVE_STEP_MS;
    if (end - from < 2 * LIVE_STEP_MS) return;
    for (const window of historyWindows(from, end)) {
      await inParallel(run.members, IN_FLIGHT, async (member) => {
        if (sentTo(run, member) < window.end) await sendWindow(run, member, window);
      });
      await report(run, 'history', started, (window.end - origin) / Math.max(1, end - origin));
    }
    from = end;
  }
}

async function sendLive(run: Run): Promise<void> {
  const started = run.options.now();
  while (!run.options.signal.aborted) {
    const due = Math.min(...run.members.map((member) => sentTo(run, member)));
    await (run.options.sender?.wait ?? wait)(Math.max(0, due + LIVE_STEP_MS - run.options.now()), run.options.signal);
    const now = run.options.now();
    // after a sleep of the machine the gap is history again
    if (now - due > 10 * 60_000) await sendHistory(run);
    else {
      const window = { start: due, end: due + LIVE_STEP_MS, times: [due], traceEveryMs: 60_000 };
      await inParallel(run.members, IN_FLIGHT, (member) => sendWindow(run, member, window));
      await report(run, 'live', started, 1);
    }
  }
}

/** One tenant's stretch of time: points first, the rest after; counted as sent when all of it is acknowledged. */
async function sendWindow(run: Run, member: Member, window: Window): Promise<void> {
  const kept = run.state.tenants[member.profile.id];
  if (kept === undefined) throw new Error(`invariant: no state of ${member.profile.id}`);
  const start = Math.max(window.start, kept.sentToMs);
  const times = window.times.filter((time) => time >= start);
  if (times.length > 0) {
    const points = member.series.window(times);
    run.rejected += await run.sender.otlp('metrics', member.apiKey, member.encoder.encode(points));
    for (const one of points) run.points += one.times.length;
  }
  const { model } = member.series;
  const spans = spansBetween(model, start, window.end, window.traceEveryMs);
  if (spans.length > 0)
    run.rejected += await run.sender.otlp('traces', member.apiKey, encodeSpans(member.resource, SCOPE, spans));
  const logs = logsBetween(model, start, window.end, window.traceEveryMs);
  if (logs.length > 0)
    run.rejected += await run.sender.otlp('logs', member.apiKey, encodeLogs(member.resource, SCOPE, logs));
  const events = eventsBetween(member.series, start, window.end);
  for (let index = 0; index < events.length; index += EVENTS_A_BATCH) {
    await run.sender.events(member.apiKey, events.slice(index, index + EVENTS_A_BATCH));
  }
  kept.sentToMs = window.end;
}

async function report(run: Run, phase: FleetProgress['phase'], startedMs: number, fraction: number): Promise<void> {
  const now = run.options.now();
  if (now - run.savedAtMs >= SAVE_EVERY_MS) {
    run.savedAtMs = now;
    await writeState(run.file, run.state);
  }
  const seconds = Math.max(0.001, (now - startedMs) / 1000);
  run.options.onProgress({
    phase,
    fraction,
    points: run.points,
    pointsPerSecond: Math.round(run.points / seconds),
    etaSeconds: phase === 'history' && fraction > 0 ? Math.round((seconds / fraction) * (1 - fraction)) : null,
    rejected: run.rejected,
  });
}

function sentTo(run: Run, member: Member): number {
  return run.state.tenants[member.profile.id]?.sentToMs ?? run.state.epochMs;
}

/** Runs `work` over all items, at most `limit` at once; the first error stops the rest from starting. */
async function inParallel<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await work(item);
      } catch (error) {
        waiting.length = 0;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: limit }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw new AppError('fleet.stopped', 'the fleet was asked to stop');
  }
}
