import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';

/**
 * What the tables are known to hold on disk.
 *
 * *Shape* `boot`: the run of the operating system in which the last writer lived; `verified`: offsets below it are in tables whose files were synced; `handled`: damaged parts that have been dealt with.
 */
export interface RecoveryState {
  readonly boot: string;
  readonly verified: readonly { readonly partition: number; readonly next: number }[];
  readonly verifiedAt: number;
  readonly handled: readonly string[];
}

const State = z.object({
  format: z.literal(1),
  boot: z.string(),
  verified: z.array(z.object({ partition: z.int().min(0), next: z.int().min(0) })),
  verifiedAt: z.number(),
  handled: z.array(z.string()),
});

/** The state, or null when none was ever written. *Errors* `store.recovery_state_invalid` when it cannot be read: what is verified would be a guess. */
export async function readRecoveryState(file: string): Promise<RecoveryState | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return State.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(
      'store.recovery_state_invalid',
      `${file} cannot be read: remove it, and everything that the log still holds is taken into the tables again`,
      { cause },
    );
  }
}

/** Replaces the state; after a crash the old or the new one stands. */
export async function writeRecoveryState(file: string, state: RecoveryState): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${randomBytes(4).toString('hex')}`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ format: 1, ...state }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  await syncPath(dirname(file));
}

/** Makes a file's content, or a directory's names, durable. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Names this run of the operating system: what a killed process wrote without a sync survives within it, and only there. */
export async function bootIdentity(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    // Elsewhere the moment of the boot; a clock that is set in between looks like another boot, which costs a replay and nothing else.
    return `boot-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
  }
}
