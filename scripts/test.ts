import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { sourceFiles } from '../tests/architecture/source-files.ts';

/**
 * Runs the test suites and ends by naming those that were not run.
 *
 * `npm test` = check + unit + engine + page suites, which need only Node and npm; `--servers` = suites against real servers.
 * Further arguments go to vitest.
 */
const root = join(import.meta.dirname, '..');
const node = process.execPath;

function run(title: string, args: readonly string[]): boolean {
  process.stdout.write(`\n── ${title}\n`);
  const started = Date.now();
  const { status } = spawnSync(node, args, { cwd: root, stdio: 'inherit' });
  process.stdout.write(
    `── ${title}: ${status === 0 ? 'passed' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(0)} s\n`,
  );
  return status === 0;
}

const vitest = (...args: string[]) => ['node_modules/vitest/vitest.mjs', 'run', ...args];

const args = process.argv.slice(2);
const only = (flag: string) => args.includes(flag);
const rest = args.filter((arg) => arg !== '--servers');

const serverSuites = sourceFiles(root).filter((file) => file.endsWith('.servers.test.ts'));

let passed: boolean;
if (only('--servers')) passed = run('tests against real servers', vitest('--project', 'servers', ...rest));
else {
  passed = rest.length > 0 || run('format, lint, types, architecture', ['scripts/check.ts', '--no-tests']);
  passed =
    run(
      'unit, engine and page tests',
      vitest('--project', 'unit', '--project', 'engine', '--project', 'page', ...rest),
    ) && passed;
  process.stdout.write(
    `\nnot run here: npm run test:servers (real servers, needs Java, Go or Debian packages: ${serverSuites.join(', ') || 'no suite yet'}); npm run test:fault (the full forms of the fault checks)\n`,
  );
}
process.exit(passed ? 0 : 1);
