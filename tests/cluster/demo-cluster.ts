import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runClusterDemo } from './cluster-demo.ts';
import { reconcileByCommand } from './reconcile-command.ts';

/** `npm run demo:cluster`: broker, PostgreSQL, a store process and four Pulse processes on this machine; a known load, every process killed once, and the ledger at the end. */
const seconds = Number(process.argv[2] ?? 60);
const dir = mkdtempSync(join(tmpdir(), 'pulse-cluster-'));
const began = Date.now();
const say = (line: string) =>
  process.stdout.write(`${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
let passed = false;
try {
  passed = await runClusterDemo({
    dir,
    seconds,
    say,
    reconcile: reconcileByCommand('inherit'),
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
say(passed ? 'everything that was sent is there once, and every hand-over balances' : 'FAILED');
process.exit(passed ? 0 : 1);
