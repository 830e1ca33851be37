import { defineConfig } from 'vitest/config';

/** Suites as projects: `unit` needs no engine, `engine` starts chdb or PGlite (forks only: chdb does not live in worker threads), `page` drives a browser. */
const suite = (name: string, include: string[], maxWorkers: number, testTimeout: number) => ({
  test: {
    name,
    include,
    exclude: ['**/node_modules/**'],
    pool: 'forks' as const,
    maxWorkers,
    testTimeout,
    hookTimeout: testTimeout,
  },
});

export default defineConfig({
  test: {
    projects: [
      suite(
        'unit',
        ['{streams,collectors,ingest,analytics,billing-rater,orchestrator,web,bin,tests,scripts}/**/*.test.ts'].concat([
          '!**/*.engine.test.ts',
          '!**/*.page.test.ts',
          '!**/*.servers.test.ts',
          '!**/*.fault.test.ts',
        ]),
        2,
        20_000,
      ),
      suite('engine', ['**/*.engine.test.ts'], 2, 120_000),
      suite('page', ['**/*.page.test.ts'], 1, 180_000),
    ],
  },
});
