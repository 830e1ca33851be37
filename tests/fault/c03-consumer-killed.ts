import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { compileCache } from '../pulse-process.ts';
import type { FaultCheck } from './check.ts';
import { judge, readTotals, sentTotals } from './oracle.ts';
import { openPipeline, roundRequest, tenantNames } from './pipeline.ts';
import { readLedger } from './sender.ts';

/** Where the consumer dies: planned and nothing inserted; a table inserted and not the others; all inserted and not committed; committed; in the middle of a roll-up. */
export const crashPoints = ['W1', 'W2', 'W3', 'AFTER', 'ROLLUP'] as const;
export type CrashPoint = (typeof crashPoints)[number];

interface Progress {
  readonly done: number;
  readonly baseMs: number;
  readonly wrong: readonly string[];
}

/** C03: a process that takes the log into the tables kills itself at each of the points. */
export const consumerKilled: FaultCheck = {
  id: 'C03',
  title: 'SIGKILL of the consumer at W1, W2, W3, AFTER and in a roll-up',
  guarantee: 'tables and roll-ups equal the source',
  async run(context) {
    const rounds = (context.size === 'full' ? 50 : 1) * crashPoints.length;
    const dir = join(context.dir, 'data');
    const ledger = join(context.dir, 'ledger');
    let progress = (context.resumed as Progress | null) ?? {
      done: 0,
      baseMs: Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000,
      wrong: [],
    };
    context.save(progress);
    const killed = new Map<CrashPoint, number>();
    while (progress.done < rounds && Date.now() < context.deadline) {
      const point = crashPoints[progress.done % crashPoints.length] ?? 'W1';
      const signal = await runChild([dir, ledger, point, String(progress.baseMs)]);
      if (signal === 'SIGKILL') killed.set(point, (killed.get(point) ?? 0) + 1);
      const wrong =
        signal === 'SIGKILL'
          ? []
          : [`round ${progress.done} at ${point}: ended with ${signal} instead of at its crash point`];
      progress = { ...progress, done: progress.done + 1, wrong: [...progress.wrong, ...wrong] };
      context.save(progress);
      if (progress.done % 25 === 0) context.progress(`${progress.done} of ${rounds}`);
    }
    const { acknowledged } = existsSync(ledger) ? readLedger(ledger) : { acknowledged: new Set<number>() };
    const source = [...acknowledged].map((id) => roundRequest(id, progress.baseMs));
    const pipeline = await openPipeline({ dir });
    await pipeline.drain();
    const { differences } = await judge(sentTotals(source), () => readTotals(pipeline.store, tenantNames));
    await pipeline.stop();
    const points = crashPoints.map((point) => `${point} ${killed.get(point) ?? 0}`).join(', ');
    return {
      passed: progress.wrong.length === 0 && differences.length === 0,
      unfinished: progress.done < rounds,
      figure: `${progress.done} kills (this run: ${points}), ${source.length} requests, ${differences.length} totals lost or doubled`,
      details: [...progress.wrong, ...differences].slice(0, 20),
    };
  },
};

/** Answers the signal that ended it, or its exit code with what it wrote. */
function runChild(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'consumer-process.ts'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '12', NODE_COMPILE_CACHE: compileCache },
  });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  const timer = setTimeout(() => child.kill('SIGTERM'), 60_000);
  return new Promise((resolve) =>
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve(signal ?? `code ${code} ${text.slice(-300)}`);
    }),
  );
}
