import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgresServer } from 'streams/control/test-postgres-server';
import { type PulseProcess, startPulse } from '../pulse-process.ts';
import { freePort } from '../servers/clients/free-port.ts';

const run = promisify(execFile);
const kafkaScript = join(import.meta.dirname, '../servers/kafka.sh');

/** What each process of the cluster runs. The door twice, the streams twice; the routes and the jobs lie with them. */
const roles = {
  store: 'store',
  'ingest-1': 'ingest',
  'ingest-2': 'ingest',
  'streams-1': 'streams,analytics,billing,orchestrator',
  'streams-2': 'streams,analytics,billing,orchestrator,api,web',
} as const;
export type ProcessName = keyof typeof roles;
export const processNames = Object.keys(roles) as ProcessName[];

/** A whole installation on this machine: a Kafka broker, PostgreSQL, a store process in ClickHouse's place, and four processes of Pulse. */
export interface Cluster {
  process(name: ProcessName): PulseProcess;
  /** SIGKILL, and a new process with the same data directory and ports. Resolves when it is ready. */
  killProcess(name: ProcessName, downMs?: number): Promise<void>;
  /** SIGTERM, its drain, and a new process: what a rolling restart does. Answers the exit code. */
  restartProcess(name: ProcessName): Promise<number | null>;
  /** SIGKILL of the broker, and its start over the same data. */
  killBroker(downMs?: number): Promise<void>;
  readonly clickhouseUrl: string;
  readonly token: string;
  stop(): Promise<void>;
}

/** Starts everything under `dir`, which user postgres must be able to reach. */
export async function startCluster(options: {
  readonly dir: string;
  readonly only?: readonly ProcessName[];
  readonly log: (line: string) => void;
}): Promise<Cluster> {
  const { dir, log } = options;
  const names = options.only ?? processNames;
  mkdirSync(dir, { recursive: true });
  chmodSync(dir, 0o755);
  const token = `op_${randomBytes(32).toString('base64url')}`;
  const kafkaPort = await freePort();
  const kafkaDir = join(dir, 'kafka');
  const startBroker = async () => void (await run('bash', [kafkaScript, 'start', kafkaDir, String(kafkaPort)]));
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const one of stops.toReversed()) await one();
  };
  try {
    await startBroker();
    stops.push(() => run('bash', [kafkaScript, 'stop', kafkaDir]));
    log(`Kafka on 127.0.0.1:${kafkaPort}`);
    const postgres = await startPostgresServer();
    stops.push(() => postgres.stop());
    log(`PostgreSQL on ${postgres.url.host}`);
    const clickhousePort = await freePort();
    const clickhouseUrl = `http://operator:${token}@127.0.0.1:${clickhousePort}`;
    const shared = {
      PULSE_POSTGRES_URL: postgres.url.href,
      PULSE_OPERATOR_TOKEN: token,
      PULSE_LOG_LEVEL: 'warn',
    };
    const running = new Map<ProcessName, PulseProcess>();
    const environments = new Map<ProcessName, Record<string, string>>();
    for (const name of names) {
      environments.set(name, {
        ...shared,
        PULSE_TARGET: roles[name],
        PULSE_HTTP_PORT: String(await freePort()),
        PULSE_OTLP_HTTP_PORT: String(await freePort()),
        PULSE_OTLP_GRPC_PORT: String(await freePort()),
        ...(name === 'store'
          ? { PULSE_CLICKHOUSE_HTTP_PORT: String(clickhousePort) }
          : { PULSE_KAFKA_BROKERS: `127.0.0.1:${kafkaPort}`, PULSE_CLICKHOUSE_URL: clickhouseUrl }),
      });
    }
    const start = async (name: ProcessName) => {
      const environment = environments.get(name) ?? {};
      running.set(name, await startPulse({ dataDir: join(dir, name), environment, firstStart: true }));
    };
    stops.push(async () => {
      // The store last: the others drain into it.
      for (const name of names.toReversed()) await running.get(name)?.stop();
    });
    for (const name of names) {
      await start(name);
      log(`${name.padEnd(10)} --target=${roles[name]} on ${running.get(name)?.http}`);
    }
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    return {
      token,
      clickhouseUrl,
      process(name) {
        const found = running.get(name);
        if (found === undefined) throw new Error(`${name} does not run`);
        return found;
      },
      async killProcess(name, downMs = 0) {
        await running.get(name)?.kill();
        await pause(downMs);
        await start(name);
      },
      async restartProcess(name) {
        const code = (await running.get(name)?.stop()) ?? null;
        await start(name);
        return code;
      },
      async killBroker(downMs = 0) {
        await run('bash', [kafkaScript, 'kill9', kafkaDir]);
        await pause(downMs);
        await startBroker();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
