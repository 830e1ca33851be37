import { Counter, Histogram } from 'prom-client';
import { z } from 'zod';
import { AppError } from '../../contract/index.ts';
import {
  defineModule,
  type GatewayListener,
  type ModuleDefinition,
  type Readiness,
  type Services,
} from '../../runtime/module.ts';
import type { EngineSessions } from '../engine-sessions.ts';
import type { AnswerFrame } from './answer.ts';
import { createClickhouseListener, type StatementService } from './listener.ts';
import { createReadOnlyService } from './read-only.ts';
import { createReadWriteService } from './read-write.ts';
import { defaultReaderLimits } from './reader-settings.ts';
import { createStatementRunner } from './statement-runner.ts';

function needEngine(services: Services): EngineSessions {
  if (services.engine !== null) return services.engine;
  throw noEngine();
}

const noEngine = () =>
  new AppError(
    'config.invalid',
    'PULSE_CLICKHOUSE_URL names a ClickHouse server: ask that one, this process has no engine to offer (leave PULSE_CLICKHOUSE_HTTP_PORT unset)',
    { status: 400, field: 'server.clickhouseHttpPort' },
  );

/** The same for whichever of the two modules answers. */
function observe({ metrics }: Services): (outcome: 'ok' | 'refused' | 'failed', duration: number) => void {
  const names = ['pulse_clickhouse_http_requests_total', 'pulse_clickhouse_http_request_seconds'] as const;
  for (const name of names) metrics.removeSingleMetric(name);
  const requests = new Counter({
    name: names[0],
    help: 'Statements of the ClickHouse HTTP interface by outcome',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  const seconds = new Histogram({
    name: names[1],
    help: 'Time of a statement of the ClickHouse HTTP interface, its answer included',
    buckets: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers: [metrics],
  });
  return (outcome, duration) => {
    requests.inc({ outcome });
    seconds.observe(duration);
  };
}

/** The engine's version and zone, asked once. */
function engineFrame(sessions: EngineSessions): () => Promise<AnswerFrame> {
  let known: AnswerFrame | undefined;
  return async () => {
    if (known !== undefined) return known;
    try {
      const session = sessions.open();
      try {
        const { bytes } = await session.run('SELECT version(), timezone()');
        const [version = '', timeZone = ''] = Buffer.from(bytes).toString('utf8').trim().split('\t');
        known = { version, timeZone };
      } finally {
        session.close();
      }
      return known;
    } catch {
      // The store is not open: the request is refused for that, and says so itself.
      return { version: 'unknown', timeZone: 'UTC' };
    }
  };
}

/** Puts the listener in the place of another module's, if there is one: a process that is the others' store serves them and nobody else. */
function listen(services: Services, listener: GatewayListener): void {
  const others = services.listeners.findIndex(({ address }) => address === listener.address);
  services.listeners.splice(others === -1 ? services.listeners.length : others, 1, listener);
}

const listenerOf = (
  services: Services,
  sessions: EngineSessions,
  service: StatementService,
  loopbackOnly: boolean,
): GatewayListener =>
  createClickhouseListener({
    service,
    access: services.access,
    logger: services.logger,
    frame: engineFrame(sessions),
    loopbackOnly,
    onAnswer: observe(services),
  });

/** A store that nobody can reach is of no use to other processes, and says what it lacks. */
export function storeReadiness(address: string | null): Readiness {
  return address === null
    ? { ready: false, reason: 'other processes cannot reach the store: set PULSE_CLICKHOUSE_HTTP_PORT' }
    : { ready: true };
}

const idle = { start: async () => {}, ready: () => ({ ready: true }) as const, stop: async () => {} };

/** The embedded engine in the place of a ClickHouse server, for other processes of Pulse on this machine. Target `store`. */
const clickhouseServerModule = defineModule({
  name: 'clickhouse-server',
  description:
    "ClickHouse's HTTP interface for other processes of Pulse on this machine, reading and writing (PULSE_CLICKHOUSE_HTTP_PORT)",
  requires: ['store', 'access', 'http'],
  config: z.strictObject({ running: z.int().min(2).max(64).default(8) }),
  create(config, services) {
    const sessions = needEngine(services);
    sessions.demandSyncedInserts();
    const service = createReadWriteService({ runner: createStatementRunner(sessions, config.running), sessions });
    listen(services, listenerOf(services, sessions, service, true));
    return { ...idle, ready: () => storeReadiness(services.addresses.clickhouseHttp) };
  },
});

/** The embedded engine for dashboards and ad hoc reading: Grafana's data source, `@clickhouse/client`, curl. Off when no port is given. */
const clickhouseReaderModule = defineModule({
  name: 'clickhouse-http',
  description:
    "ClickHouse's HTTP interface, reading only, a tenant's key its own rows (PULSE_CLICKHOUSE_HTTP_PORT; off when unset or when the store is a server)",
  requires: ['store', 'access', 'http'],
  config: z.strictObject({
    seconds: z.int().min(1).max(600).default(defaultReaderLimits.seconds),
    memoryMiB: z
      .int()
      .min(16)
      .max(65_536)
      .default(defaultReaderLimits.memoryBytes / 1_048_576),
    resultRows: z.int().min(1).max(100_000_000).default(defaultReaderLimits.resultRows),
    resultMiB: z
      .int()
      .min(1)
      .max(4096)
      .default(defaultReaderLimits.resultBytes / 1_048_576),
    threads: z.int().min(1).max(64).default(defaultReaderLimits.threads),
    running: z.int().min(1).max(64).default(defaultReaderLimits.running),
    runningPerTenant: z.int().min(1).max(64).default(defaultReaderLimits.runningPerTenant),
  }),
  create(config, services) {
    const { memoryMiB, resultMiB, ...others } = config;
    const limits = { ...others, memoryBytes: memoryMiB * 1_048_576, resultBytes: resultMiB * 1_048_576 };
    const sessions = services.engine;
    if (sessions === null) listen(services, refusingListener());
    else {
      const runner = createStatementRunner(sessions, limits.running);
      const service = createReadOnlyService({ runner, sessions, tenants: services.tenants, limits });
      listen(services, listenerOf(services, sessions, service, false));
    }
    return idle;
  },
});

/** Said when a port is given, and only then. */
const refusingListener = (): GatewayListener => ({
  address: 'clickhouseHttp',
  listen: () => Promise.reject(noEngine()),
  drain: async () => {},
});

/** ClickHouse's HTTP interface on the embedded engine. */
export const clickhouseModules: readonly ModuleDefinition[] = [clickhouseReaderModule, clickhouseServerModule];
