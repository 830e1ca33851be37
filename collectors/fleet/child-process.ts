import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { FleetProgress } from './run-fleet.ts';

/** What the child is told on its first line of stdin. */
export interface FleetConfiguration {
  readonly apiUrl: string;
  readonly otlpUrl: string;
  readonly operatorToken: string;
  readonly stateDir: string;
  readonly seed: number;
  readonly days: number;
  readonly tenantCount: number;
}

export interface FleetChild {
  /** Settles when the child has ended, with what it said on stderr last. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
  /** Asks it to drain; after `graceMs` it is ended. */
  stop(graceMs: number): Promise<void>;
}

/** *Units* MiB of JavaScript heap: the child needs about 30. */
const HEAP_MIB = 48;

/** Starts the fleet beside this process on the same Node, so that simulating never delays serving. */
export function spawnFleet(
  configuration: FleetConfiguration,
  onProgress: (progress: FleetProgress) => void,
): FleetChild {
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${HEAP_MIB}`, '--max-semi-space-size=2', join(import.meta.dirname, 'main.ts')],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      // Nothing is inherited, its configuration comes on stdin. Compiled code that is kept saves the compiler's 30 MB from the second start on;
      // fewer allocator arenas save as much again.
      env: { NODE_COMPILE_CACHE: join(configuration.stateDir, 'compile-cache'), MALLOC_ARENA_MAX: '2' },
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr = (stderr + part).slice(-2_000);
  });
  createInterface({ input: child.stdout }).on('line', (line) => onProgress(JSON.parse(line) as FleetProgress));
  // a child that died at once makes this write fail; its end is reported anyway
  child.stdin.on('error', () => undefined);
  child.stdin.write(`${JSON.stringify(configuration)}\n`);
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, stderr: error.message }));
    child.once('close', (code) => resolve({ code, stderr: stderr.trim() }));
  });
  return {
    ended,
    async stop(graceMs) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await once(child, 'close').catch(() => undefined);
      clearTimeout(timer);
    },
  };
}
