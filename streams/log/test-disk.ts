import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.ts';
import { type LogFile, type LogFileSystem, nodeFileSystem } from './file-system.ts';
import type { LogRecord } from './port.ts';

/** Operations of the disk that a test can count and fail. */
export type DiskOperation = 'write' | 'sync' | 'syncDirectory' | 'create' | 'truncate';

/** The real disk with a fault switch: `fail` decides per call, by operation, path and running number (from 1). */
export interface FaultyDisk {
  readonly fs: LogFileSystem;
  readonly counts: Record<DiskOperation, number>;
  fail: (operation: DiskOperation, path: string, nth: number) => string | null;
}

/** A disk without faults until `fail` is replaced. Position files and marks are counted and failed like segments. */
export function faultyDisk(): FaultyDisk {
  const disk: FaultyDisk = {
    fs: nodeFileSystem,
    counts: { write: 0, sync: 0, syncDirectory: 0, create: 0, truncate: 0 },
    fail: () => null,
  };
  const guard = (operation: DiskOperation, path: string) => {
    disk.counts[operation] += 1;
    const code = disk.fail(operation, path, disk.counts[operation]);
    if (code !== null) throw Object.assign(new Error(`${code}: injected ${operation} ${path}`), { code });
  };
  const wrap = (path: string, file: LogFile): LogFile => ({
    ...file,
    writev: async (buffers, position) => {
      try {
        guard('write', path);
      } catch (error) {
        // A failing disk still takes half of it: the worst case for whoever reads the file later.
        const half = Buffer.concat(buffers);
        await file.writev([half.subarray(0, Math.ceil(half.length / 2))], position);
        throw error;
      }
      return file.writev(buffers, position);
    },
    datasync: async () => {
      guard('sync', path);
      await file.datasync();
    },
    truncate: async (length) => {
      guard('truncate', path);
      await file.truncate(length);
    },
  });
  const fs: LogFileSystem = {
    ...nodeFileSystem,
    open: async (path, flags) => {
      if (flags === 'wx+') guard('create', path);
      return wrap(path, await nodeFileSystem.open(path, flags));
    },
    syncDirectory: async (path) => {
      guard('syncDirectory', path);
      await nodeFileSystem.syncDirectory(path);
    },
  };
  return Object.assign(disk, { fs });
}

/** A directory that a test removes again. */
export async function temporaryDirectory(): Promise<{ readonly dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'pulse-log-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** A started log with a fixed clock and no waiting between attempts. */
export async function startedLog(dir: string, options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> {
  const log = createEmbeddedLog({ dir, clock: { now: () => 1_795_000_000_000 }, backoff: () => 1, ...options });
  await log.start();
  return log;
}

/** Texts of all records of topic `decisions`, which has one partition. */
export async function texts(log: EmbeddedLog): Promise<string[]> {
  const list: string[] = [];
  const [range] = await log.offsets('decisions');
  for await (const record of log.read('decisions', 0, range?.first ?? 0, range?.next ?? 0)) list.push(textOf(record));
  return list;
}

/** A record's payload as text. */
export function textOf(record: LogRecord): string {
  return Buffer.from(record.payload).toString();
}
