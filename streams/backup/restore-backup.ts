import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClientBase } from 'pg';
import { AppError } from '../contract/index.ts';
import { createClient, fromPgError } from '../control/pg-pool.ts';
import { createPgliteServer } from '../control/pglite-server.ts';
import { syncPath } from '../store/recovery-state.ts';
import { loadControl } from './control-dump.ts';
import { fromDiskError, inParallel, restoreFile, syncFolders } from './file-copy.ts';
import { checkEpoch, createLogFrom, type LogSurvey, rewindLog } from './log-position.ts';
import { damaged, type Manifest, readBackup } from './manifest.ts';
import { linkDatabase } from './store-parts.ts';
import { controlPath } from './take-backup.ts';

export interface RestoreRequest {
  readonly from: string;
  /** Must not be there, or be empty. */
  readonly dataDir: string;
  /** Directory of the log that survived; null: it is lost. */
  readonly log: string | null;
  /** Where the control plane goes instead of the data directory: an empty PostgreSQL database. */
  readonly postgresUrl?: string;
  /** False: made for trial, nothing is synced to disk. */
  readonly isDurable?: boolean;
  /** Puts an empty database into its place, for tests: making one takes seconds. */
  prepareControl?(directory: string): Promise<void>;
}

export interface RestoreReport {
  readonly manifest: Manifest;
  readonly files: number;
  readonly bytes: number;
  /** Records of the surviving log that the server takes again when it starts; null without a log. */
  readonly recordsToTake: number | null;
  /** Tenants of whom the log holds records and the backup knows nothing: create them again, their numbers are kept free. */
  readonly unknownTenants: readonly { readonly id: string; readonly number: number }[];
  readonly seconds: number;
}

/** Layout of the data directory, see `runtime/data-directory.ts`. */
const layoutVersion = '1\n';

async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw new AppError('backup.target_not_empty', `${directory} is no directory that could be filled`, {
      status: 409,
      field: 'dataDir',
      cause: error,
    });
  }
}

/**
 * Makes a data directory from a backup.
 *
 * *Shape* built beside its place and renamed at the end: after an error nothing is there.
 * *Errors* `backup.not_found`, `backup.damaged`, `backup.newer_format`, `backup.newer_version`, `backup.target_not_empty`, `backup.disk_full`, `backup.wrong_epoch`, `backup.log_gap`,
 * `backup.log_behind`, `backup.log_missing`, those of the log.
 */
export async function restoreBackup(request: RestoreRequest): Promise<RestoreReport> {
  const began = performance.now();
  const { from, dataDir } = request;
  const { manifest, files } = await readBackup(from);
  if (!(await isEmpty(dataDir)))
    throw new AppError('backup.target_not_empty', `${dataDir} is not empty: a restore never writes over data`, {
      status: 409,
      field: 'dataDir',
    });
  if (request.log !== null) await readEpoch(request.log, manifest);
  const isDurable = request.isDurable ?? true;
  const staging = `${dataDir}.restoring`;
  try {
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { recursive: true, mode: 0o700 });
    await inParallel(files, (file) => restoreFile(from, file, join(staging, placeOf(file.path)), isDurable));
    await linkDatabase(staging, manifest);
    const survey = await restoreLog(request, staging, manifest);
    const unknownTenants = await restoreControl(request, staging, manifest, survey);
    await rm(join(staging, controlPath));
    await writeFile(join(staging, 'VERSION'), layoutVersion, { mode: 0o600 });
    if (isDurable) await syncFolders(staging);
    await rm(dataDir, { recursive: true, force: true });
    await rename(staging, dataDir);
    await syncPath(dirname(dataDir));
    return {
      manifest,
      files: files.length,
      bytes: manifest.files.bytes,
      recordsToTake: survey?.records ?? null,
      unknownTenants,
      seconds: (performance.now() - began) / 1000,
    };
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => undefined);
    throw fromDiskError(error, dataDir);
  }
}

/** Where a file of the backup goes. A path that leads elsewhere is none of ours. */
function placeOf(path: string): string {
  if (path.startsWith('/') || path.split('/').includes('..')) throw damaged(`${path} is not a path of a backup`);
  return path.startsWith('store/') ? join('store', 'engine', path.slice('store/'.length)) : path;
}

/** Refuses another log before anything is copied. */
async function readEpoch(log: string, manifest: Manifest): Promise<void> {
  const epoch = await readFile(join(log, 'epoch.json'), 'utf8').catch((cause: unknown) => {
    throw new AppError('backup.log_missing', `${log} is no log: it has no epoch.json`, {
      status: 404,
      field: 'log',
      cause,
    });
  });
  checkEpoch(epoch, manifest.log);
}

async function restoreLog(request: RestoreRequest, staging: string, manifest: Manifest): Promise<LogSurvey | null> {
  const place = join(staging, 'log');
  if (request.log === null) {
    await createLogFrom(place, manifest.log);
    return null;
  }
  await cp(request.log, place, { recursive: true, errorOnExist: true, force: false });
  return rewindLog(place, manifest);
}

async function restoreControl(
  request: RestoreRequest,
  staging: string,
  manifest: Manifest,
  survey: LogSurvey | null,
): Promise<RestoreReport['unknownTenants']> {
  const text = await readFile(join(staging, controlPath), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  const run = async (client: ClientBase) => {
    await loadControl(client, manifest.control, lines);
    return keepNumbersFree(client, survey);
  };
  try {
    if (request.postgresUrl !== undefined) return await withClient({ connectionString: request.postgresUrl }, run);
    const dir = join(staging, 'control');
    await request.prepareControl?.(dir);
    const server = createPgliteServer({ dir });
    try {
      return await withClient(await server.start(), run);
    } finally {
      await server.stop();
    }
  } catch (error) {
    throw fromPgError(error);
  }
}

async function withClient<T>(
  config: Parameters<typeof createClient>[0],
  run: (client: ClientBase) => Promise<T>,
): Promise<T> {
  const client = createClient(config);
  await client.connect();
  try {
    return await run(client);
  } finally {
    await client.end();
  }
}

/** A tenant that was created after the backup is gone with the control plane, and its records are not: its number must never be another's. */
async function keepNumbersFree(client: ClientBase, survey: LogSurvey | null): Promise<RestoreReport['unknownTenants']> {
  if (survey === null || survey.tenants.size === 0) return [];
  const { rows } = await client.query<{ number: number }>('SELECT number FROM tenants');
  const known = new Set(rows.map(({ number }) => number));
  const unknown = [...survey.tenants].flatMap(([number, id]) => (known.has(number) ? [] : [{ id, number }]));
  const highest = Math.max(0, ...unknown.map(({ number }) => number));
  if (highest > 0)
    await client.query(
      "SELECT setval(pg_get_serial_sequence('tenants', 'number'), greatest($1::bigint, (SELECT coalesce(last_value, 0) FROM pg_sequences WHERE sequencename = 'tenants_number_seq')))",
      [highest],
    );
  return unknown;
}
