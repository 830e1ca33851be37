import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { kafkaChecks, openMatrix } from './matrix.ts';

/** `npm run test:kafka`: the log's conformance on a real broker, then the full matrix of faults with its figures. Words choose checks by name. */
const root = join(import.meta.dirname, '../..');
const wanted = process.argv.slice(2);
const rows: { readonly name: string; readonly verdict: string; readonly seconds: number; readonly figure: string }[] =
  [];
let failed = false;

if (wanted.length === 0) {
  const began = performance.now();
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'servers', 'tests/kafka/log-conformance'];
  const { status } = spawnSync(process.execPath, vitest, { cwd: root, stdio: 'inherit' });
  failed = status !== 0;
  rows.push({
    name: 'conformance of the log port on a real broker',
    verdict: failed ? 'FAILED' : 'held',
    seconds: (performance.now() - began) / 1000,
    figure: '',
  });
}
const matrix = await openMatrix();
for (const check of kafkaChecks) {
  if (wanted.length > 0 && !wanted.some((word) => check.name.includes(word))) continue;
  const began = performance.now();
  const { figure, problems } = await matrix
    .run(check, 'full')
    .catch((error: unknown) => ({ figure: 'the check itself broke', problems: [String((error as Error).stack)] }));
  failed ||= problems.length > 0;
  for (const problem of problems.slice(0, 20)) process.stdout.write(`  ${problem}\n`);
  const verdict = problems.length > 0 ? 'FAILED' : 'held';
  const seconds = (performance.now() - began) / 1000;
  rows.push({ name: check.name, verdict, seconds, figure });
  process.stdout.write(`${verdict.padEnd(6)} ${seconds.toFixed(0).padStart(4)} s  ${check.name}: ${figure}\n`);
}
await matrix.close();
process.stdout.write('\n| check | verdict | seconds | figures |\n| --- | --- | --- | --- |\n');
for (const { name, verdict, seconds, figure } of rows)
  process.stdout.write(`| ${name} | ${verdict} | ${seconds.toFixed(0)} | ${figure} |\n`);
process.exit(failed ? 1 : 0);
