import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = join(import.meta.dirname, '../servers/kafka.sh');

/** A real Kafka broker of a test. */
export interface Broker {
  readonly address: string;
  /** Crash: SIGKILL. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Starts it again on the same data and port. */
  restart(): Promise<void>;
}

const listen = (server: Server, port: number) =>
  new Promise<number | null>((resolve) => {
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });

/** Two neighbouring ports that are free now: the broker's and its controller's. */
async function freePorts(): Promise<number> {
  for (;;) {
    const [one, other] = [createServer(), createServer()];
    const port = (await listen(one, 0)) ?? 0;
    const next = await listen(other, port + 1);
    await new Promise((resolve) => one.close(resolve));
    if (next === null) continue;
    await new Promise((resolve) => other.close(resolve));
    return port;
  }
}

/** Starts a broker under `dir`; obtains its jars first where they are missing. `settings` are further lines of its properties file, by its port. */
export async function startBroker(
  dir: string,
  settings: (port: number) => readonly string[] = () => [],
): Promise<Broker> {
  const port = await freePorts();
  const start = async () => {
    const env = { ...process.env, KAFKA_HEAP: '384m' };
    const { stdout } = await run('bash', [script, 'start', dir, String(port), ...settings(port)], {
      env,
      timeout: 600_000,
    });
    return stdout.trim();
  };
  const address = await start();
  return {
    address,
    kill: async () => {
      await run('bash', [script, 'kill9', dir]);
    },
    stop: async () => {
      await run('bash', [script, 'stop', dir]);
    },
    restart: async () => {
      await start();
    },
  };
}
