import { mkdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { AppError } from '../contract/index.ts';
import { fromDiskError } from './file-copy.ts';

/**
 * Makes the directory that backups go to, its parents included.
 *
 * *Errors* `backup.directory_invalid` (400): relative, inside of the data directory, no directory, or one that cannot be made.
 */
export async function checkDirectory(directory: string, dataDir: string): Promise<void> {
  const invalid = (why: string, cause?: unknown) =>
    new AppError('backup.directory_invalid', `${directory} ${why}`, { status: 400, field: 'directory', cause });
  if (!isAbsolute(directory)) throw invalid('is not an absolute path on the machine of the server');
  const place = `${resolve(directory)}/`;
  if (place.startsWith(`${resolve(dataDir)}/`))
    throw invalid('lies inside of the data directory, and would be lost with it');
  try {
    await makeDirectory(resolve(directory));
    if (!(await stat(directory)).isDirectory()) throw invalid('is not a directory');
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw invalid('cannot be made', fromDiskError(error, directory));
  }
}

/** Not `mkdir` with `recursive`: where a file system answers "not found" in a directory that is there, as /proc does, that tries for ever on a whole core. */
async function makeDirectory(directory: string): Promise<void> {
  if (await stat(directory).catch(() => null)) return;
  const parent = dirname(directory);
  if (parent !== directory) await makeDirectory(parent);
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}
