import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { AppError, type BackupRun, type DomainEventDraft } from '../contract/index.ts';
import type { Actor } from '../control/port.ts';
import { toKnownAt } from '../replay/replay-service.ts';
import { createRunStore, type RunEnd, type StoredRun } from '../replay/run-store.ts';
import { checkDirectory } from './backup-directory.ts';
import { releaseLeftovers } from './store-parts.ts';
import { type BackupDeps, takeBackup } from './take-backup.ts';
import { verifyBackup } from './verify-backup.ts';

type Document = Pick<BackupRun, 'directory' | 'bytes' | 'knownAt' | 'verifiedAt' | 'heldSeconds' | 'error'> & {
  readonly takenAt: string | null;
  readonly isScheduled: boolean;
};

export interface BackupServiceDeps extends BackupDeps {
  readonly logger: Logger;
  /** An empty control plane for trial restores; tests have one at hand. */
  readonly controlTemplate?: string;
}

/** Takes and verifies backups one at a time, and tells of them. */
export interface BackupService {
  /** *Errors* `backup.directory_invalid` (400), `maintenance.running` (409). */
  start(actor: Actor, request: { readonly directory: string; readonly isScheduled?: boolean }): Promise<BackupRun>;
  /** Resolves when the backup that runs has ended. */
  ended(): Promise<void>;
  find(id: string): Promise<BackupRun>;
  list(limit: number): Promise<BackupRun[]>;
  /** The newest one that a trial restore found whole; null when there is none. */
  lastVerified(): Promise<BackupRun | null>;
  /** Removes scheduled backups beyond the `keep` newest, and failed ones but for the newest; never the last verified one, nor one that somebody asked for. */
  prune(directory: string, keep: number): Promise<void>;
  clean(): Promise<void>;
  stop(): Promise<void>;
}

const system: Actor = { id: 'system:backup', correlationId: 'backup' };
const listed = 200;
const namePattern = /^pulse-\d{8}T\d{6}Z-[0-9a-f]{6}$/;

export function createBackupService(deps: BackupServiceDeps): BackupService {
  const { clock, logger, control } = deps;
  const runs = createRunStore<Document>(control, 'backup');
  const abort = new AbortController();
  let current: { readonly id: string; ended: Promise<void> } | null = null;

  const toRun = ({
    document: { takenAt: _, isScheduled: __, ...document },
    ...run
  }: StoredRun<Document>): BackupRun => ({
    ...run,
    ...document,
  });

  async function work(id: string, begun: Document, actor: Actor): Promise<void> {
    let document = begun;
    let state: RunEnd = 'done';
    let events: DomainEventDraft[] = [];
    try {
      const taken = await takeBackup(deps, dirname(begun.directory), basename(begun.directory));
      const { takenAt, knownAt } = taken.manifest;
      document = {
        ...document,
        takenAt,
        bytes: taken.bytes,
        knownAt: toKnownAt(knownAt),
        heldSeconds: taken.heldSeconds,
      };
      const { controlTemplate } = deps;
      const found = await verifyBackup({
        backup: taken.directory,
        scratch: join(dirname(begun.directory), 'trials'),
        signal: abort.signal,
        ...(controlTemplate === undefined ? {} : { controlTemplate }),
      });
      document = { ...document, verifiedAt: new Date(clock.now()).toISOString() };
      events = [{ type: 'backup.verified', subject: id, data: { backup: id, takenAt, bytes: taken.bytes } }];
      logger.info(
        { backup: id, directory: taken.directory, bytes: taken.bytes, ...found },
        'backup taken and verified',
      );
    } catch (error) {
      state = 'failed';
      const code = error instanceof AppError ? error.code : 'internal';
      const detail = error instanceof Error ? error.message : String(error);
      document = { ...document, error: { code, detail } };
      const takenAt = document.takenAt ?? new Date(clock.now()).toISOString();
      events = [{ type: 'backup.failed', subject: id, data: { backup: id, takenAt, code, detail } }];
      logger.error({ backup: id, err: error }, 'the backup failed');
    }
    await runs.end(actor, { id, at: clock.now(), state, document }, events);
  }

  return {
    async lastVerified() {
      const verified = (await runs.list(listed)).find(({ document }) => document.verifiedAt !== null);
      return verified === undefined ? null : toRun(verified);
    },
    async start(actor, { directory, isScheduled = false }) {
      await checkDirectory(directory, deps.dataDir);
      const id = `backup-${randomBytes(6).toString('hex')}`;
      const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
      const document: Document = {
        directory: join(resolve(directory), `pulse-${stamp}-${id.slice(-6)}`),
        bytes: null,
        knownAt: null,
        verifiedAt: null,
        heldSeconds: null,
        error: null,
        takenAt: null,
        isScheduled,
      };
      await runs.begin(actor, { id, at: clock.now(), document });
      const started = { id, ended: Promise.resolve() };
      current = started;
      started.ended = work(id, document, actor)
        .catch((error: unknown) => logger.error({ backup: id, err: error }, 'the end of a backup was not recorded'))
        .finally(() => {
          if (current?.id === id) current = null;
        });
      return this.find(id);
    },
    async ended() {
      await current?.ended;
    },
    async find(id) {
      const run = await runs.find(id);
      if (run === null) throw new AppError('backup.unknown', 'there is no such backup', { status: 404, field: 'id' });
      return toRun(run);
    },
    list: async (limit) => (await runs.list(limit)).map(toRun),
    async prune(directory, keep) {
      const known = await runs.list(listed);
      const last = known.find(({ document }) => document.verifiedAt !== null)?.document.directory;
      const directories = (are: (run: (typeof known)[number]) => boolean) =>
        new Set(known.filter(are).map(({ document }) => document.directory));
      const manual = directories(({ document }) => !document.isScheduled);
      // Of those that a trial restore did not find whole the newest stays to be looked into: they push out no whole one.
      const broken = directories(({ document, state }) => state !== 'running' && document.verifiedAt === null);
      const paths = (await readdir(directory))
        .filter((name) => namePattern.test(name))
        .toSorted()
        .map((name) => join(resolve(directory), name))
        .filter((path) => !manual.has(path));
      const [unverified, whole] = [paths.filter((path) => broken.has(path)), paths.filter((path) => !broken.has(path))];
      for (const path of [...unverified.slice(0, -1), ...whole.slice(0, -keep)]) {
        if (path === last) continue;
        await rm(path, { recursive: true, force: true });
        logger.info({ directory: path }, 'an old backup was removed');
      }
    },
    async clean() {
      if (current === null) await releaseLeftovers(deps.dataDir);
      for (const { id, state, document } of await runs.list(20)) {
        if (state !== 'running' || current?.id === id) continue;
        await rm(`${document.directory}.unfinished`, { recursive: true, force: true });
        const error = { code: 'backup.interrupted', detail: 'its process ended; what is there of it was not verified' };
        await runs.end(system, { id, at: clock.now(), state: 'interrupted', document: { ...document, error } });
        logger.warn({ backup: id }, 'a backup was interrupted');
      }
    },
    async stop() {
      abort.abort();
      await current?.ended;
    },
  };
}
