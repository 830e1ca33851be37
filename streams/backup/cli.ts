import { resolve } from 'node:path';
import { AppError } from '../contract/index.ts';

interface Output {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Commands that need no server. */
export const commands = [
  {
    name: 'restore',
    summary: 'make a data directory from a backup; with --log the log that survived is taken up again',
    options: [
      { flags: '--from <dir>', description: 'the backup (its directory has a manifest.json)' },
      { flags: '--data-dir <dir>', description: 'the data directory to make; must not be there, or be empty' },
      { flags: '--log <dir>', description: 'directory "log" of the lost data directory, if it survived' },
      { flags: '--postgres-url <url>', description: 'an empty PostgreSQL database for the control plane' },
      { flags: '--json', description: 'print JSON' },
    ],
    run: restoreCommand,
  },
] as const;

/** `pulse restore`. Exit codes: 0 restored, 2 wrong use, or a backup or target that is refused, 3 a reading or writing failed. */
async function restoreCommand(
  given: Readonly<Record<string, string | boolean | undefined>>,
  { stdout, stderr }: Output,
): Promise<number> {
  const text = (name: string) => (typeof given[name] === 'string' ? given[name] : undefined);
  const [from, dataDir, log, postgresUrl] = [text('from'), text('dataDir'), text('log'), text('postgresUrl')];
  if (from === undefined || dataDir === undefined) {
    stderr.write('pulse: restore needs --from DIR and --data-dir DIR\n');
    return 2;
  }
  try {
    // Engines and drivers are loaded only by who restores.
    const { restoreBackup } = await import('./restore-backup.ts');
    const report = await restoreBackup({
      from: resolve(from),
      dataDir: resolve(dataDir),
      log: log === undefined ? null : resolve(log),
      ...(postgresUrl === undefined ? {} : { postgresUrl }),
    });
    const { manifest, files, bytes, recordsToTake, unknownTenants, seconds } = report;
    if (given['json'] === true) {
      const { takenAt, knownAt } = manifest;
      stdout.write(
        `${JSON.stringify({ dataDir: resolve(dataDir), takenAt, knownAt, files, bytes, recordsToTake, unknownTenants, seconds }, null, 2)}\n`,
      );
      return 0;
    }
    const lines = [
      `restored ${files} files, ${(bytes / 1024 / 1024).toFixed(1)} MiB, as of ${manifest.takenAt}, into ${resolve(dataDir)} in ${seconds.toFixed(1)} s`,
      recordsToTake === null
        ? `without its log: what was accepted after ${manifest.takenAt} is lost, and nothing before it can be replayed`
        : `the log survived: ${recordsToTake} records that came after the backup are taken when the server starts`,
      ...unknownTenants.map(
        ({ id, number }) =>
          `tenant ${id} (number ${number}) was created after the backup: its records are kept, the tenant itself is lost`,
      ),
      'the operator token is not part of a backup: the server makes a new one at its start',
    ];
    stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } catch (error) {
    const isRefusal =
      error instanceof AppError && error.code.startsWith('backup.') && error.code !== 'backup.disk_full';
    stderr.write(
      `pulse: ${error instanceof Error ? error.message : String(error)}${error instanceof AppError ? ` [${error.code}]` : ''}\n`,
    );
    return isRefusal ? 2 : 3;
  }
}
