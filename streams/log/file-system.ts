import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';

/** An open file, as far as the log needs one. Positions are always explicit. */
export interface LogFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  /** May write less than asked, like the system call. */
  writev(buffers: readonly Uint8Array[], position: number): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** The seam between the log and the disk: tests put faults here (EIO on the Nth sync, a full disk). */
export interface LogFileSystem {
  /** `r` reads, `r+` reads and writes, `wx+` creates and fails when the file exists. */
  open(path: string, flags: 'r' | 'r+' | 'wx+'): Promise<LogFile>;
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory; an absent directory is empty. */
  list(path: string): Promise<readonly string[]>;
  readFile(path: string): Promise<Buffer | null>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes names created, renamed or removed in a directory durable. */
  syncDirectory(path: string): Promise<void>;
}

const absent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

async function openFile(path: string, flags: 'r' | 'r+' | 'wx+'): Promise<LogFile> {
  const handle = await open(path, flags, 0o600);
  return {
    read: (buffer, offset, length, position) => handle.read(buffer, offset, length, position),
    writev: (buffers, position) => handle.writev(buffers, position),
    datasync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}

/** The real disk. */
export const nodeFileSystem: LogFileSystem = {
  open: openFile,
  makeDirectory: async (path) => {
    await mkdir(path, { recursive: true });
  },
  list: (path) =>
    readdir(path).catch((error: unknown) => {
      if (absent(error)) return [];
      throw error;
    }),
  readFile: (path) =>
    readFile(path).catch((error: unknown) => {
      if (absent(error)) return null;
      throw error;
    }),
  rename,
  remove: (path) => rm(path, { force: true }),
  syncDirectory: async (path) => {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Linux takes at most 1024 buffers a call (IOV_MAX). */
const buffersPerWrite = 1024;

/** Writes all buffers from `position` on without joining them, however often the system writes less than asked. */
export async function writeAll(file: LogFile, buffers: readonly Uint8Array[], position: number): Promise<number> {
  let at = position;
  let rest = buffers;
  while (rest.length > 0) {
    const part = rest.slice(0, buffersPerWrite);
    let { bytesWritten } = await file.writev(part, at);
    if (bytesWritten <= 0) throw Object.assign(new Error('the disk wrote nothing'), { code: 'EIO' });
    at += bytesWritten;
    let done = 0;
    while (done < part.length && bytesWritten >= (part[done]?.length ?? 0)) bytesWritten -= part[done++]?.length ?? 0;
    const torn = rest[done];
    rest =
      bytesWritten > 0 && torn !== undefined
        ? [torn.subarray(bytesWritten), ...rest.slice(done + 1)]
        : rest.slice(done);
  }
  return at;
}

/** Reads until `length` bytes or the end of the file. */
export async function readFully(file: LogFile, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** Replaces a small file so that a crash leaves the old or the new content, never a mixture. */
export async function replaceFile(
  fs: LogFileSystem,
  directory: string,
  name: string,
  content: Uint8Array,
): Promise<void> {
  const temporary = `${directory}/${name}.new`;
  await fs.remove(temporary);
  const file = await fs.open(temporary, 'wx+');
  try {
    await writeAll(file, [content], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, `${directory}/${name}`);
  await fs.syncDirectory(directory);
}
