/**
 * The fleet as a child process: one JSON line of configuration on stdin, progress as JSON lines on stdout.
 * It drains on SIGTERM, and when stdin closes, which is how it learns that its parent is gone.
 */
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { runFleet } from './run-fleet.ts';

const Configuration = z.object({
  apiUrl: z.url(),
  otlpUrl: z.url(),
  operatorToken: z.string().min(1),
  stateDir: z.string().min(1),
  seed: z.number(),
  days: z.number(),
  tenantCount: z.number(),
});

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
// Ctrl-C reaches the whole process group: the parent decides when to stop
process.on('SIGINT', () => undefined);
// a parent that is gone reads no more progress
process.stdout.on('error', () => stop.abort());

const input = createInterface({ input: process.stdin });
const configuration = await new Promise<string>((resolve, reject) => {
  input.once('line', resolve);
  input.once('close', () => {
    stop.abort();
    reject(new Error('stdin closed before the configuration came'));
  });
});

try {
  await runFleet({
    ...Configuration.parse(JSON.parse(configuration)),
    now: Date.now,
    signal: stop.signal,
    onProgress: (progress) => process.stdout.write(`${JSON.stringify(progress)}\n`),
  });
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
