import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A process with the embedded engine behind ClickHouse's HTTP interface, for tests: an engine is one a process and a directory. */
export interface TestingServer {
  readonly url: string;
  readonly port: number;
  /** What it wrote to its log. */
  output(): string;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** Tokens of {@link startTestingServer}: `tenants` are engine numbers by id, each with the key `key-ID`. */
export interface TestingServerOptions {
  readonly dir: string;
  readonly mode: 'read-write' | 'read-only';
  readonly port?: number;
  readonly tenants?: Readonly<Record<string, number>>;
  /** Statements run at the start, in the engine itself. */
  readonly prepare?: readonly string[];
  readonly limits?: Readonly<Record<string, number>>;
}

export const operatorToken = 'op_testing';

/** Starts the server and resolves once it answers. */
export async function startTestingServer(options: TestingServerOptions): Promise<TestingServer> {
  const file = fileURLToPath(new URL('./server-process.ts', import.meta.url));
  // One thread a statement, one for each that stops another.
  const child = spawn('env', ['UV_THREADPOOL_SIZE=16', process.execPath, file, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (line.startsWith('http')) resolve(line);
    });
    child.once('exit', (code) => reject(new Error(`the server ended (${code}):\n${lines.join('\n')}`)));
  });
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  return {
    url,
    port: Number(new URL(url).port),
    output: () => lines.join('\n'),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
