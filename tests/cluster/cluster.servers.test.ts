import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runClusterDemo } from './cluster-demo.ts';
import { reconcileByCommand } from './reconcile-command.ts';

test('many processes, each killed once under load, hold everything once, and the ledger balances (npm run demo:cluster is the long form)', {
  timeout: 600_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-cluster-'));
  const lines: string[] = [];
  const say = (line: string) => void lines.push(line);
  expect({
    passed: await runClusterDemo({ dir, seconds: 14, say, reconcile: reconcileByCommand('pipe') }),
    lines,
  }).toMatchObject({ passed: true });
  rmSync(dir, { recursive: true, force: true });
});
