#!/usr/bin/env node
// Runs the TypeScript entry on the locked Node, whichever Node started it.
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const locked = at(`../node_modules/node-${process.platform}-${process.arch}/bin/node`);
if (!existsSync(locked)) {
  console.error('pulse: the locked Node is not installed; run `npm ci` (or `npm start`) in the project first');
  process.exit(2);
}
if (realpathSync(process.execPath) === realpathSync(locked)) {
  await import('./pulse.ts');
} else {
  const result = spawnSync(locked, [at('./pulse.ts'), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(result.status ?? 1);
}
