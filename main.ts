import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { modules as analyticsModules } from 'analytics/module';
import { modules as billingModules } from 'billing-rater/module';
import { modules as collectorModules } from 'collectors/module';
import { modules as ingestModules } from 'ingest/module';
import { modules as orchestratorModules } from 'orchestrator/module';
import { Registry } from 'prom-client';
import { modules as accessModules } from 'streams/access';
import { backupModule } from 'streams/backup';
import { AppError } from 'streams/contract';
import { modules as controlModules } from 'streams/control';
import { modules as eventModules } from 'streams/events';
import { modules as forwardingModules } from 'streams/forwarding';
import { logModule } from 'streams/log';
import { replayModule } from 'streams/replay';
import {
  checkTransport,
  configSchemas,
  createLogger,
  createModules,
  type HttpProcess,
  httpModules,
  type ModuleDefinition,
  type ModuleSet,
  openDataDirectory,
  pageModule,
  parseSections,
  readConfig,
  ServerConfig,
  type Services,
  selectModules,
  startTracing,
  systemClock,
  type Targets,
} from 'streams/runtime';
import { modules as storeModules } from 'streams/store';
import { buildPortal } from 'web/build';
import packageJson from './package.json' with { type: 'json' };

/** Routes of the API, each module by itself; the jobs behind them stand in targets of their own. */
const api = [
  'access-api',
  'control-api',
  'ingest-api',
  'dead-letters',
  'analytics-api',
  'billing-api',
  'orchestrator-api',
  'events-api',
  'clickhouse-http',
  'gateway',
];
/** Every target has the gateway: health, readiness and metrics of the process. */
const targets: Targets = {
  all: [
    'ingest',
    'telemetry-consumer',
    'roll-ups',
    'analytics',
    'billing',
    'orchestrator',
    'events',
    'forwarding',
    'derived-metrics',
    'replay',
    'backup',
    ...api,
    'web',
    'agent',
    'demo',
  ],
  ingest: ['ingest', 'gateway'],
  streams: ['telemetry-consumer', 'roll-ups', 'forwarding', 'replay', 'backup', 'gateway'],
  store: ['store', 'clickhouse-server', 'gateway'],
  analytics: ['analytics', 'derived-metrics', 'gateway'],
  billing: ['billing', 'gateway'],
  orchestrator: ['orchestrator', 'events', 'gateway'],
  api,
  web: ['web', 'gateway'],
};

const usage = `DotMac Pulse ${packageJson.version}

npm start -- [options]
  --data-dir=DIR     where everything is kept (PULSE_DATA_DIR, ./data)
  --demo=on|off      the simulated fleet of 12 ISPs (PULSE_DEMO, on)
  --target=LIST      modules or aliases to run (PULSE_TARGET, all)
  --config=FILE      YAML file with the same settings by section
  --check-config     read the configuration, report every mistake, exit
  --print-config     print the configuration in force, secrets redacted, exit
  --list-modules     print modules, what they require, and the aliases, exit

Environment: PULSE_HTTP_PORT (8000), PULSE_OTLP_HTTP_PORT (4318), PULSE_OTLP_GRPC_PORT (4317), PULSE_HOST (127.0.0.1), PULSE_LOG_LEVEL (info), PULSE_DEMO_DAYS (100),
PULSE_DEMO_TENANTS (12), PULSE_AGENT (on: measure this machine), PULSE_KAFKA_BROKERS (host:port,host:port), PULSE_POSTGRES_URL, PULSE_CLICKHOUSE_URL (http://user:password@host:8123/database), PULSE_CLICKHOUSE_HTTP_PORT (off when unset), PULSE_OPERATOR_TOKEN (one for all processes), PULSE_TLS_CERT, PULSE_TLS_KEY,
PULSE_CORS_ORIGINS (web pages that may send OTLP/HTTP), PULSE_FORWARD_OTLP_ENDPOINT (telemetry goes on to another receiver of OTLP), PULSE_BACKUP_DIRECTORY; port 0 picks a free one.
`;

/** In the order in which they start, as far as requirements leave it open: the gateway after everything that it serves. */
function definitions(host: HttpProcess): ModuleDefinition[] {
  const portalDir = join(import.meta.dirname, 'web/dist');
  const { http, gateway } = httpModules(host);
  return [
    logModule,
    ...storeModules,
    ...controlModules,
    ...accessModules,
    http,
    ...eventModules,
    ...forwardingModules,
    replayModule,
    backupModule(packageJson.version),
    ...ingestModules,
    ...analyticsModules,
    ...billingModules,
    ...orchestratorModules,
    pageModule({ dir: portalDir, build: () => buildPortal({ outDir: portalDir }) }),
    gateway,
    ...collectorModules,
  ];
}

/** What a person does next: the line after the ready line. */
function invitation(
  { http, otlpHttp, otlpGrpc }: Services['addresses'],
  options: { readonly dataDir: string; readonly hasPortal: boolean },
): string {
  const file = join(options.dataDir, 'operator.token');
  const open = options.hasPortal
    ? `open ${http} and sign in with the operator token${existsSync(file) ? ` in ${file}` : ''}`
    : `no portal in this process; its health is at ${http}/readyz`;
  if (otlpHttp === null) return open;
  return `${open}; OTLP goes to ${otlpHttp}${otlpGrpc === null ? '' : ` or, by gRPC, ${otlpGrpc}`}`;
}

async function main(): Promise<void> {
  const { sections, invocation, unreadNames } = readConfig(process.argv.slice(2), process.env);
  if (invocation.help) {
    process.stdout.write(usage);
    return;
  }
  // Modules are created after the configuration is parsed, with schemas that the definitions bring: hence the late bindings.
  let server = ServerConfig.parse({});
  let set: ModuleSet | undefined;
  let hasPortal = false;
  const host: HttpProcess = {
    version: packageJson.version,
    server: () => server,
    readiness: () => set?.readiness() ?? [],
    onListening: (addresses) => {
      const dataDir = resolve(server.dataDir);
      process.stdout.write(`ready ${JSON.stringify({ ...addresses, dataDir })}\n`);
      process.stdout.write(`${invitation(addresses, { dataDir, hasPortal })}\n`);
    },
  };
  const all = definitions(host);
  if (invocation.listModules) {
    process.stdout.write(describeModules(all));
    return;
  }
  const configs = parseSections(sections, { server: ServerConfig, ...configSchemas(all) });
  server = configs['server'] as ServerConfig;
  checkTransport(server);
  const selected = selectModules(all, targets, server.target);
  hasPortal = selected.some(({ name }) => name === 'web');
  if (invocation.printConfig) process.stdout.write(`${JSON.stringify(configs, null, 2)}\n`);
  if (invocation.checkConfig) {
    process.stdout.write(`the configuration is valid; modules: ${selected.map(({ name }) => name).join(', ')}\n`);
  }
  if (invocation.printConfig || invocation.checkConfig) return;

  const logger = createLogger(server.logLevel);
  if (unreadNames.length > 0) logger.warn({ names: unreadNames }, 'variables that this version does not read');
  const dataDir = resolve(server.dataDir);
  const data = openDataDirectory(dataDir);
  const tracing = await startTracing(process.env);
  const running = createModules(selected, configs, { logger, dataDir, clock: systemClock, metrics: new Registry() });
  set = running;
  await supervise(running, logger, async () => {
    await tracing.shutdown().catch((error) => logger.warn({ err: error }, 'own traces were not flushed'));
    data.release();
  });
}

/** Starts the modules and stops them once on the first signal; a second Ctrl-C (npm passes it on twice) changes nothing. */
async function supervise(
  set: ModuleSet,
  logger: ReturnType<typeof createLogger>,
  release: () => Promise<void>,
): Promise<void> {
  let ending: Promise<void> | undefined;
  const end = (code: number) => {
    ending ??= (async () => {
      await set.stop();
      await release();
      // Handles of the engines can outlive their close; everything durable is flushed by now.
      process.exit(code);
    })();
    return ending;
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (ending === undefined) logger.info({ signal }, 'draining');
      void end(0);
    });
  }
  process.on('unhandledRejection', (error) => {
    logger.fatal({ err: error }, 'unhandled rejection: stopping');
    void end(1);
  });
  try {
    await set.start();
  } catch (error) {
    // Stopped while starting: what fails then fails because it is being stopped.
    if (ending === undefined) report(error);
    await end(1);
  }
}

function describeModules(all: readonly ModuleDefinition[]): string {
  const lines = all.map(({ name, requires, description }) => {
    const after = requires.length > 0 ? ` (requires ${requires.join(', ')})` : '';
    return `${name.padEnd(20)} ${description}${after}`;
  });
  const aliases = Object.entries(targets).map(([alias, names]) => `--target=${alias.padEnd(12)} ${names.join(', ')}`);
  return `${[...lines, '', ...aliases].join('\n')}\n`;
}

function report(error: unknown): void {
  if (error instanceof AppError) process.stderr.write(`pulse: ${error.message} [${error.code}]\n`);
  else process.stderr.write(`pulse: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}

try {
  await main();
} catch (error) {
  report(error);
  process.exit(1);
}
