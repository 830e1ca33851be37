/** Worker thread that owns PGlite and serves it on a unix socket. Started by `pglite-server.ts` only. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import type { PgliteWorkerData, PgliteWorkerReply, PgliteWorkerRequest } from './pglite-server.ts';

interface NodeStream {
  readonly nfd: number;
  readonly path?: string;
}
interface NodeFsModule {
  readonly NODEFS: { readonly stream_ops: { fsync?: (stream: NodeStream) => number } };
}

const fsyncs = { wal: 0, data: 0 };

/** PGlite's file system with a real fsync; Emscripten's NODEFS has none, so PostgreSQL's own calls would do nothing. */
class SyncingNodeFS extends NodeFS {
  override async init(...arguments_: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const result = await super.init(...arguments_);
    const preRun = (module: unknown) => {
      (module as NodeFsModule).NODEFS.stream_ops.fsync = (stream) => {
        fsyncSync(stream.nfd);
        if (stream.path?.includes('/pg_wal')) fsyncs.wal += 1;
        else fsyncs.data += 1;
        return 0;
      };
    };
    return { emscriptenOpts: { ...result.emscriptenOpts, preRun: [...(result.emscriptenOpts.preRun ?? []), preRun] } };
  }
}

function open(dir: string): Promise<PGlite> {
  return PGlite.create({
    fs: new SyncingNodeFS(dir),
    // Without `-F` and with a sync method that exists here (fdatasync is a no-op in Emscripten) every commit is one fsync of the WAL.
    startParams: [
      ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
      ...['-c', 'fsync=on', '-c', 'wal_sync_method=fsync', '-c', 'shared_buffers=8MB'],
    ],
  });
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncTree(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else if (entry.isFile()) syncPath(path);
  }
  syncPath(dir);
}

/** Makes the cluster beside its final place and renames it, so that a kill in between leaves nothing half made. */
async function initialise(dir: string): Promise<void> {
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new Error(`${dir} is neither empty nor a PostgreSQL data directory`);
  }
  const unfinished = `${dir}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true, mode: 0o700 });
  await (await open(unfinished)).close();
  syncTree(unfinished);
  rmSync(dir, { recursive: true, force: true });
  renameSync(unfinished, dir);
  syncPath(dirname(dir));
}

const port = parentPort;
if (port === null) throw new Error('pglite-worker runs in a worker thread only');
const { dir, socket } = workerData as PgliteWorkerData;
const reply = (message: PgliteWorkerReply): void => port.postMessage(message);

if (!existsSync(join(dir, 'PG_VERSION'))) await initialise(dir);
const db = await open(dir);
const server = new PGLiteSocketServer({ db, path: socket, maxConnections: 4 });
await server.start();

port.on('message', async (request: PgliteWorkerRequest) => {
  if (request.kind === 'stats') {
    reply({ kind: 'stats', id: request.id, fsyncs: { ...fsyncs } });
    return;
  }
  await server.stop();
  await db.close();
  reply({ kind: 'stopped' });
  port.close();
});
reply({ kind: 'ready' });
