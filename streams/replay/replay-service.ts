import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { TenantDirectory } from '../access/port.ts';
import { AppError, type NewReplay, type ReplayRun } from '../contract/index.ts';
import type { Actor, Control } from '../control/port.ts';
import type { Log } from '../log/port.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Store } from '../store/port.ts';
import { parseRange } from './plan.ts';
import type { Maintenance, Position } from './port.ts';
import { type ReplayProgress, type ReplayReport, runReplay } from './replay-run.ts';
import { createRunStore, type StoredRun } from './run-store.ts';

type Request = z.infer<typeof NewReplay>;

interface ReplayDocument {
  readonly request: Request;
  readonly progress: ReplayProgress;
  readonly report: ReplayRun['report'];
  readonly error: ReplayRun['error'];
}

export interface ReplayServiceDeps {
  readonly control: Control;
  readonly store: Store;
  readonly log: Pick<Log, 'epoch' | 'read' | 'offsets' | 'committed'>;
  readonly maintenance: Maintenance;
  readonly tenants: Pick<TenantDirectory, 'byId'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Starts replays one at a time and tells how they stand. */
export interface ReplayService {
  /** *Errors* `replay.range_invalid`, `replay.known_at_invalid`, `replay.tenant_unknown` (400), `maintenance.running` (409). */
  start(actor: Actor, request: Request): Promise<ReplayRun>;
  find(id: string): Promise<ReplayRun>;
  list(limit: number): Promise<ReplayRun[]>;
  cancel(id: string): Promise<ReplayRun>;
  /** Ends what a process that is gone has left: its run is marked, its shadow removed. */
  clean(): Promise<void>;
  /** Resolves when the replay that runs has ended. */
  ended(): Promise<void>;
  /** Cancels what runs and waits for its end. */
  stop(): Promise<void>;
}

const system: Actor = { id: 'system:replay', correlationId: 'replay' };
const shadowOf = (id: string) => id.replace('-', '_');

/** A cut-off on the wire: `0:4711,1:90`. */
export function toKnownAt(positions: readonly Position[]): string {
  const sorted = positions.toSorted((a, b) => a.partition - b.partition);
  return sorted.map(({ partition, next }) => `${partition}:${next}`).join(',') || 'none';
}

function parseKnownAt(text: string, index: number): Position[] {
  if (!/^\d{1,5}:\d{1,15}(,\d{1,5}:\d{1,15})*$/.test(text))
    throw new AppError('replay.known_at_invalid', 'knownAt is not a cut-off that an invoice carries, such as 0:4711', {
      status: 400,
      field: `knownAt.${index}`,
    });
  return text.split(',').map((part) => {
    const [partition, next] = part.split(':');
    return { partition: Number(partition), next: Number(next) };
  });
}

const isoHour = (seconds: number) => new Date(seconds * 1000).toISOString();

const toReport = ({ scope, positions, knownAts, ...report }: ReplayReport): ReplayRun['report'] => ({
  ...report,
  from: isoHour(scope.fromHour),
  to: isoHour(scope.toHour),
  days: [...report.days],
  differences: [...report.differences],
  swapped: [...report.swapped],
  knownAt: toKnownAt(positions),
  knownAts: knownAts.map(({ knownAt, days }) => ({ knownAt: toKnownAt(knownAt), days: [...days] })),
});

const toFailure = (error: unknown): NonNullable<ReplayRun['error']> => ({
  code: error instanceof AppError ? error.code : 'internal',
  detail: error instanceof Error ? error.message : String(error),
});

export function createReplayService(deps: ReplayServiceDeps): ReplayService {
  const { control, clock, logger } = deps;
  const runs = createRunStore<ReplayDocument>(control, 'replay');
  const none: ReplayProgress = { phase: 'planning', batches: 0, batchesDone: 0, records: 0 };
  let current: {
    readonly id: string;
    progress: ReplayProgress;
    readonly abort: AbortController;
    ended: Promise<void>;
  } | null = null;

  const toRun = ({ document, ...run }: StoredRun<ReplayDocument>): ReplayRun => ({
    ...run,
    ...document,
    progress: current?.id === run.id ? current.progress : document.progress,
  });

  async function work(id: string, request: Request, actor: Actor, signal: AbortSignal, tenant: number | null) {
    let document: ReplayDocument = { request, progress: none, report: null, error: null };
    let state: 'done' | 'failed' | 'cancelled' = 'done';
    try {
      const report = await runReplay(
        {
          ...deps,
          signal,
          onProgress: (progress) => {
            if (current?.id === id) current.progress = progress;
          },
        },
        {
          scope: { ...parseRange(request.from, request.to), tenant },
          into: request.into,
          knownAts: request.knownAt.map(parseKnownAt),
          shadowName: shadowOf(id),
        },
      );
      logger.info({ replay: id, identical: report.isIdentical, swapped: report.swapped }, 'replay done');
      document = { ...document, report: toReport(report) };
    } catch (error) {
      state = error instanceof AppError && error.code === 'replay.cancelled' ? 'cancelled' : 'failed';
      logger.error({ replay: id, err: error }, 'replay ended early');
      document = { ...document, error: toFailure(error) };
    }
    document = { ...document, progress: current?.progress ?? none };
    await runs.end(actor, { id, at: clock.now(), state, document });
  }

  async function find(id: string): Promise<ReplayRun> {
    const run = await runs.find(id);
    if (run === null) throw new AppError('replay.unknown', 'there is no such replay', { status: 404, field: 'id' });
    return toRun(run);
  }

  return {
    find,
    async start(actor, request) {
      parseRange(request.from, request.to);
      request.knownAt.forEach(parseKnownAt);
      const tenant = request.tenant === undefined ? null : deps.tenants.byId(request.tenant);
      if (tenant === undefined)
        throw new AppError('replay.tenant_unknown', 'there is no such tenant', { status: 400, field: 'tenant' });
      const id = `replay-${randomBytes(6).toString('hex')}`;
      await runs.begin(actor, {
        id,
        at: clock.now(),
        document: { request, progress: none, report: null, error: null },
      });
      const abort = new AbortController();
      const started = { id, progress: none, abort, ended: Promise.resolve() };
      current = started;
      started.ended = work(id, request, actor, abort.signal, tenant?.number ?? null)
        .catch((error: unknown) => logger.error({ replay: id, err: error }, 'the end of a replay was not recorded'))
        .finally(() => {
          if (current?.id === id) current = null;
        });
      return find(id);
    },
    list: async (limit) => (await runs.list(limit)).map(toRun),
    async cancel(id) {
      const run = await find(id);
      if (run.state !== 'running' || current?.id !== id)
        throw new AppError('replay.not_running', 'this replay does not run in this process', { status: 409 });
      current.abort.abort();
      await current.ended;
      return find(id);
    },
    async clean() {
      for (const { id, state, document } of await runs.list(20)) {
        if (state !== 'running' || current?.id === id) continue;
        await deps.store.inDatabase(shadowOf(id)).dropDatabase();
        const error = {
          code: 'replay.interrupted',
          detail: 'its process ended; the live tables are whole, run it again',
        };
        await runs.end(system, { id, at: clock.now(), state: 'interrupted', document: { ...document, error } });
        logger.warn({ replay: id }, 'a replay was interrupted; its rebuilt tables are removed');
      }
    },
    async ended() {
      await current?.ended;
    },
    async stop() {
      current?.abort.abort();
      await current?.ended;
    },
  };
}
