import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** `npm run check`: format, lint, types, architecture and unit tests; `--no-tests` leaves the tests to the caller. */
const root = join(import.meta.dirname, '..');
const steps: [string, string[]][] = [
  ['biome', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']],
  ['types of the server', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']],
  ['types of the portal', ['node_modules/typescript/bin/tsc', '-p', 'web/tsconfig.json']],
];
if (!process.argv.includes('--no-tests')) {
  steps.push(['unit tests and architecture', ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit']]);
}
const failed = steps.filter(([title, args]) => {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${title}\n`);
  return status !== 0;
});
process.exit(failed.length === 0 ? 0 : 1);
