import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own, a few MiB large, that can be filled and emptied. */
export interface SmallDisk {
  readonly dir: string;
  fill(): void;
  free(): void;
  remove(): void;
}

const mebibyte = 1024 * 1024;

/** Mounts a small file system in memory on `dir`, or answers null where mounting is not allowed. */
export function mountSmallDisk(dir: string, sizeMiB: number): SmallDisk | null {
  mkdirSync(dir, { recursive: true });
  // What an interrupted run left mounted.
  spawnSync('umount', ['-l', dir], { stdio: 'ignore' });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', dir], { stdio: 'ignore' });
  if (status !== 0) return null;
  const ballast = join(dir, 'ballast');
  return {
    dir,
    fill() {
      // As much as there is, down to the last page.
      for (const size of [mebibyte, 4096]) {
        const chunk = Buffer.alloc(size, 1);
        for (;;) {
          try {
            writeFileSync(ballast, chunk, { flag: 'a' });
          } catch {
            break;
          }
        }
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove: () => void spawnSync('umount', ['-l', dir], { stdio: 'ignore' }),
  };
}

/** Unmounts what an interrupted run left mounted below a folder, so that the folder can be removed. */
export function unmountBelow(dir: string): void {
  let mounts: string;
  try {
    mounts = readFileSync('/proc/mounts', 'utf8');
  } catch {
    return;
  }
  for (const line of mounts.split('\n')) {
    const path = line.split(' ')[1] ?? '';
    if (path.startsWith(`${dir}/`)) spawnSync('umount', ['-l', path], { stdio: 'ignore' });
  }
}
