import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { FaultCheck } from './check.ts';
import { checks } from './checks.ts';
import { type CheckResult, runCheck } from './run-check.ts';

/**
 * `npm run test:fault [-- --check=C05,C06] [--minutes=5] [--list] [--fresh] [--short]`: runs the full form of the named checks, or of all, each in a process of its own and for twenty minutes at most.
 * An interrupted or unfinished check goes on where it saved; `--fresh` starts over. Ends with a table and `fault-results.json`, and with 1 unless every check held.
 */
const root = join(import.meta.dirname, '../..');
const home = join(root, 'node_modules/.cache/pulse-fault');
const resultsFile = join(root, 'fault-results.json');
/** Kept from the twenty minutes for winding up. */
const reserveMs = 60_000;

const { values } = parseArgs({
  options: {
    check: { type: 'string' },
    list: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    child: { type: 'string' },
    minutes: { type: 'string', default: '20' },
  },
});
const minutesMax = Math.min(20, Number(values.minutes));
if (!(minutesMax >= 2)) {
  process.stderr.write('--minutes: two to twenty\n');
  process.exit(2);
}

if (values.child !== undefined) await child(values.child, values.short);
else if (values.list)
  for (const { id, title, guarantee, needs } of checks)
    process.stdout.write(`${id}  ${title}: ${guarantee}${needs === undefined ? '' : ` [needs ${needs}]`}\n`);
else process.exit(await parent(wanted(values.check)));

function wanted(list: string | undefined): readonly FaultCheck[] {
  if (list === undefined) return checks;
  const ids = list.split(',').map((id) => id.trim().toUpperCase());
  const unknown = ids.filter((id) => !checks.some((check) => check.id === id));
  if (unknown.length > 0) {
    process.stderr.write(`no check ${unknown.join(', ')}; there are: ${checks.map(({ id }) => id).join(', ')}\n`);
    process.exit(2);
  }
  return checks.filter(({ id }) => ids.includes(id));
}

async function child(id: string, short: boolean): Promise<void> {
  const [check] = wanted(id);
  if (check === undefined) return;
  // Whoever started this is gone: the servers that it started must not stay, and hold the data of the next run.
  process.stdin.on('end', () => process.kill(-process.pid, 'SIGKILL')).resume();
  const folder = join(home, check.id);
  const result = await runCheck(check, {
    size: short ? 'short' : 'full',
    home: folder,
    deadline: Date.now() + minutesMax * 60_000 - reserveMs,
    progress: (line) => process.stdout.write(`${check.id}  ${line}\n`),
  });
  writeFileSync(join(folder, 'result.json'), JSON.stringify(result));
  // A check that leaves a handle open must not hold up the others.
  process.exit(0);
}

async function parent(list: readonly FaultCheck[]): Promise<number> {
  const results: CheckResult[] = [];
  for (const check of list) {
    process.stdout.write(`── ${check.id} ${check.title}: ${check.guarantee}\n`);
    const result = await runInChild(check);
    results.push(result);
    for (const line of result.details) process.stdout.write(`${check.id}  ${line}\n`);
    process.stdout.write(`── ${check.id} ${result.verdict} in ${result.seconds.toFixed(0)} s: ${result.figure}\n\n`);
  }
  const file = { size: values.short ? 'short' : 'full', results };
  writeFileSync(resultsFile, `${JSON.stringify(file, null, 2)}\n`);
  const width = Math.max(...results.map(({ figure }) => figure.length), 6);
  process.stdout.write(`${'ID'.padEnd(5)} ${'figure'.padEnd(width)}  verdict\n`);
  for (const { id, figure, verdict } of results)
    process.stdout.write(`${id.padEnd(5)} ${figure.padEnd(width)}  ${verdict}\n`);
  process.stdout.write(`\nwritten to ${resultsFile}\n`);
  return results.every(({ verdict }) => verdict === 'held') ? 0 : 1;
}

/** Own process: an engine or a listener that a check leaves behind does not reach the next one, and a hang ends. */
async function runInChild(check: FaultCheck): Promise<CheckResult> {
  const folder = join(home, check.id);
  if (values.fresh) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const resultFile = join(folder, 'result.json');
  rmSync(resultFile, { force: true });
  const started = performance.now();
  const args = [
    import.meta.filename,
    `--child=${check.id}`,
    `--minutes=${minutesMax}`,
    ...(values.short ? ['--short'] : []),
  ];
  const running = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? '12' },
    stdio: ['pipe', 'pipe', 'inherit'],
    // A group of its own: whatever it leaves behind can be ended with it.
    detached: true,
  });
  createInterface({ input: running.stdout }).on('line', (line) => process.stdout.write(`${line}\n`));
  const timer = setTimeout(() => endGroup(running.pid), minutesMax * 60_000);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    running.once('close', (status, name) => resolve([status, name])),
  );
  clearTimeout(timer);
  endGroup(running.pid);
  try {
    return JSON.parse(readFileSync(resultFile, 'utf8')) as CheckResult;
  } catch {
    const seconds = (performance.now() - started) / 1000;
    const figure = seconds >= minutesMax * 60 - 1 ? 'did not end in its time' : `its process ended (${signal ?? code})`;
    return { id: check.id, title: check.title, verdict: 'FAILED', figure, details: [], seconds };
  }
}

function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody of it is left.
  }
}
