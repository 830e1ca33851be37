import { defineConfig } from 'vitest/config';
import { LongestFirst } from './tests/longest-first.ts';

/** Suites by file ending. Forks only: chdb does not live in worker threads. Suites with the same number of workers share them: three, because on two cores one of two often waits for a disk or a process. */
const suite = (
  name: string,
  include: string[],
  maxWorkers: number,
  timeoutSeconds: number,
  exclude: string[] = [],
) => ({
  test: {
    name,
    include,
    exclude: ['**/node_modules/**', '**/dist/**', 'tests/architecture/fixtures/**', ...exclude],
    pool: 'forks' as const,
    maxWorkers,
    // What V8's optimizing compiler spends on the control plane's WebAssembly never comes back in a short life.
    execArgv: ['--liftoff-only'],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: timeoutSeconds * 1000,
    // What a page or a server comes to show is waited for; a busy machine takes longer than the default second.
    expect: { poll: { timeout: 20_000 } },
  },
});

const special = ['engine', 'page', 'servers'].map((ending) => `**/*.${ending}.test.ts`);

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      suite('unit', ['**/*.test.ts'], 3, 20, special),
      suite('engine', ['**/*.engine.test.ts'], 3, 120),
      suite('page', ['**/*.page.test.ts'], 3, 180),
      suite('servers', ['**/*.servers.test.ts'], 1, 600),
    ],
  },
});
