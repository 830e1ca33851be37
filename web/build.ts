import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const webDir = fileURLToPath(new URL('.', import.meta.url));
const rootDir = join(webDir, '..');
const markName = '.source-hash';

/** The portal could not be built. *Errors* `code` is `web.build_failed`; the message ends with what the build said. */
export class PortalBuildError extends Error {
  override readonly name = 'PortalBuildError';
  readonly code = 'web.build_failed';
}

export interface PortalBuild {
  /** False when the sources are those of the build that is already there. */
  readonly built: boolean;
  readonly dir: string;
}

function filesUnder(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules' && !entry.name.endsWith('.test.ts'))
    .flatMap((entry) => filesUnder(join(path, entry.name)));
}

/** Hash of everything that the pages are made of: sources, contract, build settings and locked dependencies; tests do not count. */
export function sourceHash(root: string = rootDir): string {
  const parts = ['web/src', 'web/index.html', 'web/vite.config.ts', 'streams/contract', 'package-lock.json'];
  const hash = createHash('sha256');
  for (const file of parts.flatMap((part) => filesUnder(join(root, part))).toSorted()) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file).split(sep).join('/')}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

async function readMark(dir: string): Promise<string | null> {
  try {
    return await readFile(join(dir, markName), 'utf8');
  } catch {
    return null;
  }
}

function viteBinary(): string {
  const manifest = createRequire(import.meta.url).resolve('vite/package.json');
  return join(manifest, '..', 'bin', 'vite.js');
}

/** Runs the build in its own process, so that its memory goes away with it. */
function runVite(outDir: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [viteBinary(), 'build', '--outDir', outDir, '--emptyOutDir', '--logLevel', 'warn'],
    {
      cwd: webDir,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  const listen = (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-4000);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new PortalBuildError(`the portal's build did not start: ${cause.message}`, { cause })),
    );
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new PortalBuildError(`the portal's build ended with ${signal ?? `code ${code}`}:\n${said.trim()}`));
    });
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Removes what builds left behind whose process was killed. */
async function clearAbandoned(workshop: string): Promise<void> {
  if (!existsSync(workshop)) return;
  for (const name of readdirSync(workshop)) {
    if (!isRunning(Number(name))) await rm(join(workshop, name), { recursive: true, force: true });
  }
}

/**
 * Builds the portal into `outDir` unless what stands there was made of the same sources.
 *
 * *Shape* built beside the target and moved into place, so that a build that fails leaves the old pages standing.
 * *Errors* {@link PortalBuildError}, not retryable: the sources or the installed dependencies are broken.
 */
export async function buildPortal(
  options: { readonly outDir?: string; readonly force?: boolean } = {},
): Promise<PortalBuild> {
  const dir = options.outDir ?? join(webDir, 'dist');
  const hash = sourceHash();
  if (options.force !== true && (await readMark(dir)) === hash) return { built: false, dir };
  // On the same disk as the target, and where neither git nor the linter looks.
  const workshop = join(dirname(dir), 'node_modules', '.cache', 'portal');
  await clearAbandoned(workshop);
  const fresh = join(workshop, String(process.pid));
  try {
    await mkdir(fresh, { recursive: true });
    await runVite(fresh);
    await writeFile(join(fresh, markName), hash);
    await rm(dir, { recursive: true, force: true });
    await rename(fresh, dir);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return { built: true, dir };
}
