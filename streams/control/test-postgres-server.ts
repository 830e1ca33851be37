import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real PostgreSQL 15 for a suite. `url` logs in as a superuser. */
export interface TestPostgresServer {
  readonly url: URL;
  stop(): Promise<void>;
}

/** One that a test takes away and brings back on the same port. */
export interface LocalPostgresServer extends TestPostgresServer {
  /** The server's own data directory. */
  readonly dataDir: string;
  down(): void;
  up(): void;
}

/**
 * Starts PostgreSQL in a container where a container engine answers, otherwise by the project's own script, which installs Debian's package when it is missing.
 *
 * *Errors* the script's own message on stderr, or the engine's.
 */
export async function startPostgresServer(): Promise<TestPostgresServer> {
  return (await hasContainerEngine()) ? startContainer() : startByScript();
}

async function hasContainerEngine(): Promise<boolean> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

async function startContainer(): Promise<TestPostgresServer> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const password = 'pulse';
  const container = await new GenericContainer('postgres:15-alpine')
    .withEnvironment({ POSTGRES_USER: 'pulse', POSTGRES_PASSWORD: password, POSTGRES_DB: 'postgres' })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .start();
  const url = new URL(`postgres://pulse:${password}@${container.getHost()}:${container.getMappedPort(5432)}/postgres`);
  return { url, stop: async () => void (await container.stop()) };
}

/** Starts PostgreSQL by the project's own script. */
export function startByScript(): LocalPostgresServer {
  const script = join(import.meta.dirname, '../../tests/servers/postgres.sh');
  const dir = mkdtempSync(join(tmpdir(), 'pulse-postgres-'));
  // The server runs as its own user.
  chmodSync(dir, 0o755);
  const started = execFileSync('bash', [script, 'start', dir], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = new URL(started.trim().split('\n').at(-1) ?? '');
  const down = () => void execFileSync('bash', [script, 'stop', dir], { stdio: 'ignore' });
  return {
    url,
    dataDir: join(dir, 'pg'),
    down,
    up: () => void execFileSync('bash', [script, 'start', dir, url.port], { stdio: 'ignore' }),
    async stop() {
      down();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
