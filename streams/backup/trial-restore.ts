/** Child of `verify-backup.ts`: restores a backup into a scratch directory, opens it, and answers one line of JSON. */
import { cp } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../contract/index.ts';
import { restoreBackup } from './restore-backup.ts';
import { verifyRestored } from './verify-backup.ts';

const [backup = '', scratch = '', template = ''] = process.argv.slice(2);
setPriority(constants.priority.PRIORITY_LOW);

async function trial(): Promise<object> {
  const dataDir = join(scratch, 'data');
  try {
    const { manifest } = await restoreBackup({
      from: backup,
      dataDir,
      log: null,
      isDurable: false,
      ...(template === ''
        ? {}
        : { prepareControl: (directory: string) => cp(template, directory, { recursive: true }) }),
    });
    return { verification: await verifyRestored(dataDir, manifest) };
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'internal';
    return { error: { code, detail: error instanceof Error ? error.message : String(error) } };
  }
}

process.stdout.write(`${JSON.stringify(await trial())}\n`);
// Handles of the engines can outlive their close.
process.exit(0);
