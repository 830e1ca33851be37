import { createHash } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { AppError } from '../contract/index.ts';
import { syncPath } from '../store/recovery-state.ts';
import { type BackupFile, damaged } from './manifest.ts';

/** Translates an error of the disk. *Errors* `backup.disk_full` (507), `backup.unwritable`. */
export function fromDiskError(error: unknown, where: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new AppError('backup.disk_full', `no space is left for ${where}; nothing half written stays`, {
      status: 507,
      cause: error,
    });
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM' || code === 'ENOTDIR')
    return new AppError('backup.unwritable', `${where} cannot be written (${code})`, { status: 409, cause: error });
  return error;
}

/** Files that are on their way at a time: their syncs share the commits of the file system. */
const sideBySide = 16;

/** Runs `work` for every item, some at a time, and answers in the order of the items. The first failure ends it. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (next < items.length && !failed) {
      const at = next++;
      try {
        results[at] = await work(items[at] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(sideBySide, items.length) }, lane));
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}

/** Copies a file, durably unless it is for trial, and answers its length and hash. */
export async function copyFile(from: string, to: string, isDurable = true): Promise<{ bytes: number; sha256: string }> {
  await mkdir(dirname(to), { recursive: true });
  const hash = createHash('sha256');
  let bytes = 0;
  const target = await open(to, 'wx', 0o600);
  try {
    for await (const chunk of createReadStream(from, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await target.write(chunk, at);
        at += bytesWritten;
      }
      bytes += chunk.length;
    }
    if (isDurable) await target.sync();
  } finally {
    await target.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Copies a file of a backup and refuses one that is not what it was. *Errors* `backup.damaged`. */
export async function restoreFile(backup: string, file: BackupFile, to: string, isDurable: boolean): Promise<void> {
  let copied: { bytes: number; sha256: string };
  try {
    copied = await copyFile(join(backup, file.path), to, isDurable);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | null)?.code;
    if (code === 'ENOENT' || code === 'EIO') throw damaged(`${file.path} cannot be read`, { file: file.path }, error);
    throw fromDiskError(error, dirname(to));
  }
  if (copied.bytes !== file.bytes || copied.sha256 !== file.sha256)
    throw damaged(`${file.path} is not what was written (${copied.bytes} of ${file.bytes} bytes)`, { file: file.path });
}

/** Every plain file below a directory, by relative path, in order. */
export async function filesBelow(directory: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** Makes the names below a directory durable; the files themselves are. */
export async function syncFolders(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(directory, entry.name));
  }
  await syncPath(directory);
}
