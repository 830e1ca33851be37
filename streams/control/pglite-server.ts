import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '../contract/index.ts';

/** Real fsync calls since the worker started. *Shape* `wal` = write-ahead log (one a commit), `data` = everything else (checkpoints). */
export interface FsyncCounts {
  readonly wal: number;
  readonly data: number;
}

export interface PgliteWorkerData {
  readonly dir: string;
  readonly socket: string;
}
export type PgliteWorkerRequest = { readonly kind: 'stats'; readonly id: number } | { readonly kind: 'stop' };
export type PgliteWorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'stats'; readonly id: number; readonly fsyncs: FsyncCounts };

/** What the `pg` driver needs to reach the unix socket. */
export interface PgliteAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** PGlite in its worker; `stop` is idempotent. */
export interface PgliteServer {
  start(): Promise<PgliteAddress>;
  stop(): Promise<void>;
  fsyncs(): Promise<FsyncCounts>;
  /** Why the worker ended by itself; null while it runs. */
  failure(): Error | null;
}

/** Linux allows 107 bytes in `sockaddr_un`, macOS 103. */
const socketPathBytesMax = 100;
const socketPort = 5432;
const stopTimeoutMs = 20_000;

function makeSocketDirectory(parent: string): string {
  const name = '/pulse-pg-XXXXXX/.s.PGSQL.5432';
  if (Buffer.byteLength(parent + name) > socketPathBytesMax) {
    throw new AppError(
      'control.socket_path_too_long',
      `the directory for the control plane's socket is too long: ${parent}`,
      {
        field: 'TMPDIR',
      },
    );
  }
  return mkdtempSync(join(parent, 'pulse-pg-'));
}

/**
 * Prepares PGlite in a worker thread behind a unix socket; nothing runs before `start`.
 *
 * *Shape* `dir` holds the data; the socket stands in a fresh directory (mode 0700) below `socketDir`, which defaults to the system's temporary directory.
 * *Errors* `control.unavailable` when the data cannot be opened, `control.socket_path_too_long`.
 */
export function createPgliteServer(options: { readonly dir: string; readonly socketDir?: string }): PgliteServer {
  let host: string | null = null;
  let worker: Worker | null = null;
  let failure: Error | null = null;
  let stopping = false;
  let nextId = 0;
  const waiting = new Map<number, { resolve: (counts: FsyncCounts) => void; reject: (error: Error) => void }>();

  const fail = (error: Error): void => {
    if (stopping || failure !== null) return;
    failure = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };

  return {
    async start() {
      mkdirSync(dirname(options.dir), { recursive: true });
      host = makeSocketDirectory(options.socketDir ?? tmpdir());
      const workerData: PgliteWorkerData = { dir: options.dir, socket: join(host, `.s.PGSQL.${socketPort}`) };
      const started = new Worker(new URL('./pglite-worker.ts', import.meta.url), { workerData });
      worker = started;
      await new Promise<void>((resolve, reject) => {
        const refuse = (cause: unknown) => {
          const error = new AppError(
            'control.unavailable',
            `the control-plane database in ${options.dir} did not open`,
            {
              status: 503,
              cause,
            },
          );
          fail(error);
          reject(error);
        };
        started.on('error', refuse);
        started.on('exit', (code) => refuse(new Error(`the database worker ended with code ${code}`)));
        started.on('message', (message: PgliteWorkerReply) => {
          if (message.kind === 'ready') resolve();
          if (message.kind === 'stats') {
            waiting.get(message.id)?.resolve(message.fsyncs);
            waiting.delete(message.id);
          }
        });
      });
      return { host, port: socketPort, user: 'postgres', database: 'postgres' };
    },
    fsyncs() {
      const id = nextId;
      nextId += 1;
      return new Promise((resolve, reject) => {
        if (worker === null || failure !== null) return reject(failure ?? new Error('the database is not started'));
        waiting.set(id, { resolve, reject });
        worker.postMessage({ kind: 'stats', id } satisfies PgliteWorkerRequest);
      });
    },
    async stop() {
      stopping = true;
      const ending = worker;
      worker = null;
      if (ending !== null && failure === null) {
        const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
        ending.postMessage({ kind: 'stop' } satisfies PgliteWorkerRequest);
        // A worker that hangs must not hold the process; the WAL makes an unclean end safe.
        const timer = setTimeout(() => void ending.terminate(), stopTimeoutMs);
        await ended;
        clearTimeout(timer);
      }
      if (host !== null) rmSync(host, { recursive: true, force: true });
    },
    failure: () => failure,
  };
}
