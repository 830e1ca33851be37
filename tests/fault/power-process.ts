import { appendFileSync, mkdirSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { type LogFileSystem, nodeFileSystem } from '../../streams/log/file-system.ts';
import { openPipeline, roundRequest } from './pipeline.ts';
import { createLedger, readLedger } from './sender.ts';

/** Child of C04: keeps beside its data what has been synced of it, so that a power cut can be played after it was killed. */
const [home = '', boot = '', base = ''] = process.argv.slice(2);
const data = join(home, 'data');
const shadow = join(home, 'log-synced');
const logDir = join(data, 'log');
const verifyMs = 300;

/** Each file of the log as of its last sync; names as of the last sync of their directory come with it. */
function shadowed(fs: LogFileSystem): LogFileSystem {
  const twin = (path: string) => path.replace(logDir, shadow);
  const keep = async (path: string) => {
    // Whole or not at all: this process may be killed in the middle.
    const temporary = `${home}/copying`;
    await copyFile(path, temporary);
    await mkdir(dirname(twin(path)), { recursive: true });
    await rename(temporary, twin(path));
  };
  let queue: Promise<void> = Promise.resolve();
  const inTurn = (run: () => Promise<void>) => {
    queue = queue.then(run, run);
    return queue;
  };
  return {
    ...fs,
    open: async (path, flags) => {
      const file = await fs.open(path, flags);
      return {
        ...file,
        datasync: async () => {
          await file.datasync();
          await inTurn(() => keep(path));
        },
      };
    },
    makeDirectory: async (path) => {
      await fs.makeDirectory(path);
      await mkdir(twin(path), { recursive: true });
    },
    rename: async (from, to) => {
      await fs.rename(from, to);
      await inTurn(() => rename(twin(from), twin(to)));
    },
    remove: async (path) => {
      await fs.remove(path);
      await inTurn(() => rm(twin(path), { force: true }));
    },
    syncDirectory: async (path) => {
      await fs.syncDirectory(path);
      // A new segment stands, empty, once its name is synced.
      for (const name of await fs.list(path))
        if (name.endsWith('.segment')) await inTurn(() => keepNew(`${path}/${name}`));
    },
  };
  async function keepNew(path: string): Promise<void> {
    await copyFile(path, twin(path), 1).catch(() => undefined);
  }
}

mkdirSync(data, { recursive: true });
const syncedFiles = join(home, 'synced-files');
appendFileSync(syncedFiles, '');
const pipeline = await openPipeline({
  dir: data,
  boot,
  logger: pino({ level: 'silent' }),
  logOptions: { fs: shadowed(nodeFileSystem), segmentBytes: 256 * 1024 },
  onSync: (path) => appendFileSync(syncedFiles, `${path}\n`),
});
const ledger = createLedger(join(home, 'ledger'));
process.stdout.write(`ready ${pipeline.recovered.replayedRecords}\n`);
const { sent } = readLedger(join(home, 'ledger'));
await pipeline.consumer.start();
pipeline.job.start();
const verify = setInterval(() => void pipeline.recovery.verify(), verifyMs);
verify.unref();
for (let id = Math.max(-1, ...sent) + 1; ; id += 1) {
  const request = roundRequest(id, Number(base));
  ledger.sending(request);
  await pipeline.append([request]);
  ledger.acknowledged(request);
  await new Promise((resolve) => setTimeout(resolve, 10));
}
