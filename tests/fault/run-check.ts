import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckContext, CheckOutcome, CheckSize, FaultCheck } from './check.ts';
import { unmountBelow } from './small-disk.ts';
import { writeSynced } from './synced-file.ts';

/** How a run of a check ended; `unfinished` goes on at the next run. */
export type Verdict = 'held' | 'FAILED' | 'unfinished';

/** One row of the table and of `fault-results.json`. */
export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly verdict: Verdict;
  readonly figure: string;
  readonly details: readonly string[];
  readonly seconds: number;
}

interface RunOptions {
  readonly size: CheckSize;
  /** Where the run's folder and its state are kept. */
  readonly home: string;
  readonly deadline: number;
  readonly progress: (line: string) => void;
}

/** Runs one check, from where an unfinished run of it stopped. What a held run left behind goes; a failed one's folder stays for a look. */
export async function runCheck(check: FaultCheck, options: RunOptions): Promise<CheckResult> {
  const dir = join(options.home, 'run');
  const stateFile = join(options.home, 'state.json');
  const resumed = readState(stateFile, options.size);
  if (resumed === null) unmountBelow(dir);
  if (resumed === null) rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const context: CheckContext = {
    size: options.size,
    dir,
    deadline: options.deadline,
    resumed,
    save: (state) => writeSynced(stateFile, JSON.stringify({ size: options.size, state })),
    progress: options.progress,
  };
  const started = performance.now();
  const outcome = await outcomeOf(check, context);
  // What went wrong before an early end is wrong all the same.
  const isUnfinished = outcome.unfinished && (outcome.details ?? []).length === 0;
  const verdict = isUnfinished ? 'unfinished' : outcome.passed ? 'held' : 'FAILED';
  if (verdict !== 'unfinished') rmSync(stateFile, { force: true });
  if (verdict === 'held') rmSync(dir, { recursive: true, force: true });
  return {
    id: check.id,
    title: check.title,
    verdict,
    figure: outcome.figure,
    details: outcome.details ?? [],
    seconds: (performance.now() - started) / 1000,
  };
}

async function outcomeOf(check: FaultCheck, context: CheckContext): Promise<CheckOutcome> {
  try {
    return await check.run(context);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { passed: false, figure: 'the check itself broke', details: text.split('\n') };
  }
}

function readState(file: string, size: CheckSize): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const saved = JSON.parse(text) as { size?: unknown; state?: unknown };
  return saved.size === size ? (saved.state ?? null) : null;
}
