import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../contract/index.ts';
import type { Control } from '../control/port.ts';
import type { Log } from '../log/port.ts';
import { settled } from '../replay/standstill.ts';
import type { Clock } from '../runtime/clock.ts';
import type { WorkGate } from '../runtime/work-gate.ts';
import type { Store } from '../store/port.ts';
import { syncPath } from '../store/recovery-state.ts';
import { dumpControl } from './control-dump.ts';
import { copyFile, fromDiskError, syncFolders } from './file-copy.ts';
import { readLogPosition } from './log-position.ts';
import { type BackupFile, backupFormat, encodeFiles, filesName, type Manifest, writeManifest } from './manifest.ts';
import { freezeStore } from './store-parts.ts';

export interface BackupDeps {
  readonly store: Store;
  readonly log: Log;
  readonly control: Control;
  readonly gate: WorkGate;
  readonly clock: Clock;
  readonly dataDir: string;
  /** Version of Pulse. */
  readonly product: string;
}

export interface TakenBackup {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly bytes: number;
  /** How long the consumer and the jobs stood still. */
  readonly heldSeconds: number;
  readonly seconds: number;
}

const gateTimeoutMs = 120_000;
const identitiesPath = join('usage-identities', 'data.mdb');
export const controlPath = 'control.ndjson';

/** The cut: everything below the positions is in the tables and nothing beyond, because whoever writes them stands still. Milliseconds, whatever the tables hold. */
async function cut(deps: BackupDeps, name: string, staging: string) {
  const { store, log, control, dataDir, clock } = deps;
  const open = await deps.gate.close(gateTimeoutMs);
  const began = performance.now();
  try {
    const takenAt = new Date(clock.now()).toISOString();
    const knownAt = [...(await settled({ store, log }))];
    const position = await readLogPosition(log, dataDir);
    const frozen = await freezeStore(store, dataDir, name);
    try {
      const identities = await copyIdentities(dataDir, staging);
      const lines: string[] = [];
      const dumped = await dumpControl(control, (line) => lines.push(line));
      return {
        takenAt,
        knownAt,
        position,
        frozen,
        identities,
        lines,
        dumped,
        heldSeconds: (performance.now() - began) / 1000,
      };
    } catch (error) {
      await frozen.release();
      throw error;
    }
  } finally {
    open();
  }
}

/** Nobody claims meanwhile, so the file is the database. On a server log they stand in a table, and there is no file. */
async function copyIdentities(dataDir: string, staging: string): Promise<BackupFile[]> {
  const source = join(dataDir, identitiesPath);
  if ((await stat(source).catch(() => null)) === null) return [];
  return [{ path: identitiesPath, ...(await copyFile(source, join(staging, identitiesPath))) }];
}

/**
 * Takes a backup of the running server into `directory/name`: control plane, tables, position in the log, identities of usage events.
 *
 * *Shape* everything is written beside its place and renamed at the end: a directory of that name is a whole backup. The operator token is not in it.
 * *Errors* `backup.exists`, `backup.disk_full`, `backup.unwritable`, `backup.remote_store`, `maintenance.busy`.
 */
export async function takeBackup(deps: BackupDeps, directory: string, name: string): Promise<TakenBackup> {
  const began = performance.now();
  const target = join(directory, name);
  const staging = `${target}.unfinished`;
  if ((await stat(target).catch(() => null)) !== null)
    throw new AppError('backup.exists', `${target} is there already`, { status: 409, field: 'directory' });
  try {
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { recursive: true, mode: 0o700 });
    const made = await cut(deps, name, staging);
    try {
      const copied = await made.frozen.copy(staging);
      await writeFile(join(staging, 'control.lines'), made.lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
      const control = await copyFile(join(staging, 'control.lines'), join(staging, controlPath));
      await rm(join(staging, 'control.lines'));
      const files = [{ path: controlPath, ...control }, ...made.identities, ...copied.files];
      const list = encodeFiles(files);
      await writeFile(join(staging, filesName), list.text, { mode: 0o600 });
      const manifest: Manifest = {
        format: backupFormat,
        product: deps.product,
        takenAt: made.takenAt,
        knownAt: made.knownAt,
        log: made.position,
        store: copied.store,
        control: made.dumped,
        files: list.entry,
      };
      await writeManifest(staging, manifest);
      for (const path of [filesName, 'manifest.json']) await syncPath(join(staging, path));
      await syncFolders(staging);
      await rename(staging, target);
      await syncPath(dirname(target));
      const seconds = (performance.now() - began) / 1000;
      return { directory: target, manifest, bytes: list.entry.bytes, heldSeconds: made.heldSeconds, seconds };
    } finally {
      await made.frozen.release();
    }
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => undefined);
    throw fromDiskError(error, target);
  }
}
