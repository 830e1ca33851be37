import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileCache } from '../pulse-process.ts';
import type { CheckContext, FaultCheck } from './check.ts';
import { judge, readTotals, sentTotals } from './oracle.ts';
import { openPipeline, roundRequest, tenantNames } from './pipeline.ts';
import { readLedger } from './sender.ts';

interface Progress {
  readonly cuts: number;
  readonly baseMs: number;
  readonly damaged: number;
  readonly replayed: number;
}

/** C04: the machine loses power. Of the log stays what a sync covered; of the tables' files those that were synced, and of the others anything: nothing, a piece, zeros, or all. */
export const powerCut: FaultCheck = {
  id: 'C04',
  title: 'power cuts: everything that no sync covered is lost',
  guarantee: 'every acknowledged record is in the log, and the tables are made equal to it again from there',
  async run(context) {
    const cuts = context.size === 'full' ? 30 : 1;
    let progress = (context.resumed as Progress | null) ?? {
      cuts: 0,
      baseMs: Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000,
      damaged: 0,
      replayed: 0,
    };
    const wrong: string[] = [];
    while (progress.cuts < cuts && Date.now() < context.deadline) {
      const { replayed, problem } = await loadUntilCut(context, progress);
      if (problem !== null) wrong.push(`cut ${progress.cuts}: ${problem}`);
      const damaged = cutPower(context.dir);
      progress = {
        ...progress,
        cuts: progress.cuts + 1,
        damaged: progress.damaged + damaged,
        replayed: progress.replayed + replayed,
      };
      context.save(progress);
      if (problem !== null) break;
      if (progress.cuts % 5 === 0) context.progress(`${progress.cuts} cuts, ${progress.damaged} files damaged`);
    }
    const { acknowledged, sent } = readLedger(join(context.dir, 'ledger'));
    const build = (ids: Iterable<number>) => [...ids].map((id) => roundRequest(id, progress.baseMs));
    const pipeline = await openPipeline({ dir: join(context.dir, 'data'), boot: `boot-${progress.cuts}` });
    await pipeline.drain();
    const replayed = progress.replayed + pipeline.recovered.replayedRecords;
    // What was sent and not acknowledged may be in the log or not; sent again, all of it has to be there once.
    await pipeline.append(build([...sent].filter((id) => !acknowledged.has(id))));
    await pipeline.drain();
    const { differences } = await judge(sentTotals(build(sent)), () => readTotals(pipeline.store, tenantNames));
    await pipeline.stop();
    // One cut on a busy machine can come before anything was stored.
    if (progress.damaged === 0 && context.size === 'full') wrong.push('no file was damaged: nothing was tried');
    return {
      passed: wrong.length === 0 && differences.length === 0,
      unfinished: wrong.length === 0 && progress.cuts < cuts,
      figure: `${progress.cuts} cuts, ${progress.damaged} unsynced files lost or torn, ${replayed} records taken from the log again, ${acknowledged.size} requests acknowledged, ${differences.length} totals lost or doubled`,
      details: [...wrong, ...differences].slice(0, 20),
    };
  },
};

/** A process that appends, stores, rolls up and verifies, killed at a random moment. */
async function loadUntilCut(
  context: CheckContext,
  { cuts, baseMs }: Progress,
): Promise<{ replayed: number; problem: string | null }> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'power-process.ts'), context.dir, `boot-${cuts}`, String(baseMs)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '12', NODE_COMPILE_CACHE: compileCache },
    },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  const ready = new Promise<number>((resolve) =>
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(Number(line.slice('ready '.length)));
    }),
  );
  const replayed = await Promise.race([ready, ended.then(() => null)]);
  if (replayed === null) return { replayed: 0, problem: `the process ended: ${text.slice(-600)}` };
  await sleep(400 + Math.random() * 1500);
  child.kill('SIGKILL');
  await ended;
  return { replayed, problem: text === '' ? null : text.slice(-600) };
}

/** Leaves of the data directory what a power cut would have left. Answers how many files were damaged. */
function cutPower(home: string): number {
  const data = join(home, 'data');
  // The log: exactly what its syncs covered.
  rmSync(join(data, 'log'), { recursive: true, force: true });
  cpSync(join(home, 'log-synced'), join(data, 'log'), { recursive: true });
  const synced = new Set(readFileSync(join(home, 'synced-files'), 'utf8').split('\n'));
  let damaged = 0;
  for (const table of tableFolders(join(data, 'store/engine/store'))) {
    for (const part of readdirSync(table)) {
      const folder = join(table, part);
      // `touched` and the like sync their own parts; a part's name in its place is durable with it.
      if (!/^[\w]+_\d+_\d+_\d+$/.test(part) || synced.has(folder) || syncsItself(table)) continue;
      damaged += damagePart(folder);
    }
  }
  return damaged;
}

function tableFolders(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root).flatMap((prefix) => readdirSync(join(root, prefix)).map((id) => join(root, prefix, id)));
}

/** Tables with `fsync_after_insert`: their inserts are on disk before they return. */
const selfSyncing = new Map<string, boolean>();
function syncsItself(table: string): boolean {
  const known = selfSyncing.get(table);
  if (known !== undefined) return known;
  const metadata = join(table, '../../../metadata/default');
  const id = table.split('/').at(-1) ?? '';
  const own = readdirSync(metadata)
    .map((name) => readFileSync(join(metadata, name), 'utf8'))
    .some((text) => text.includes(id) && text.includes('fsync_after_insert = 1'));
  selfSyncing.set(table, own);
  return own;
}

/** Of a part that no sync covered: whole, gone, or some of its files torn. */
function damagePart(folder: string): number {
  const lot = Math.random();
  if (lot < 0.25) return 0;
  if (lot < 0.5) {
    rmSync(folder, { recursive: true });
    return 1;
  }
  let damaged = 0;
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    const size = statSync(file).isFile() ? statSync(file).size : 0;
    if (size === 0 || Math.random() < 0.5) continue;
    damaged += 1;
    const fate = Math.random();
    if (fate < 0.3) truncateSync(file, 0);
    else if (fate < 0.6) writeFileSync(file, Buffer.alloc(size));
    else if (fate < 0.8) truncateSync(file, Math.floor(Math.random() * size));
    else renameSync(file, join(folder, '..', `lost-${Date.now()}-${name}`));
  }
  return damaged;
}
