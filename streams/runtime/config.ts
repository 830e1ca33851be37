import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';

/** A string that never shows itself in logs, JSON or `--print-config`. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The clear value, for the one call that needs it. */
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '[redacted]';
  }
  toJSON(): string {
    return '[redacted]';
  }
}

/** Parses a secret; there is never a default for one. */
export const secret = () =>
  z
    .string()
    .min(1)
    .transform((value) => new Secret(value));

const port = z.coerce.number().int().min(0).max(65_535);
const seconds = (least: number, most: number) => z.coerce.number().min(least).max(most);
const flag = z.union([z.boolean(), z.literal(['on', 'off']).transform((value) => value === 'on')]);

const origin = z.union([
  z.literal('*'),
  z.string().regex(/^https?:\/\/[^/\s,]+$/, 'an origin such as https://host:port'),
]);
/** A list, or one string with commas as the environment has it. */
const origins = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((one) => one.trim()) : value),
  z.array(origin),
);

/** Settings of the process itself; every module's own settings stand in a section with the module's name. */
export const ServerConfig = z.object({
  dataDir: z.string().min(1).default('./data'),
  host: z.string().min(1).default('127.0.0.1'),
  httpPort: port.default(8000),
  otlpHttpPort: port.default(4318),
  otlpGrpcPort: port.default(4317),
  /** ClickHouse's HTTP interface; off when not given. */
  clickhouseHttpPort: port.optional(),
  /** Web origins whose pages may send OTLP/HTTP, such as `https://portal.example.net`; `*` is any. */
  corsOrigins: origins.default([]),
  tlsCert: z.string().min(1).optional(),
  tlsKey: z.string().min(1).optional(),
  tls: z.literal('terminated-upstream').optional(),
  logLevel: z.literal(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  target: z.string().min(1).default('all'),
  /** A connection whose headers are not complete by then is answered 408 and closed. */
  headersTimeoutSeconds: seconds(1, 3600).default(15),
  /** The same for a whole request, its body included. */
  requestTimeoutSeconds: seconds(1, 3600).default(60),
  /** How long an idle connection is kept for the next request; longer than a load balancer's 60 s, so that it closes first. */
  keepAliveTimeoutSeconds: seconds(1, 3600).default(72),
  /** How often connections are looked at for the two timeouts. */
  connectionsCheckSeconds: seconds(0.05, 60).default(2),
  /** How often the certificate's files are looked at. */
  certificateCheckSeconds: seconds(0.05, 86_400).default(10),
});
export type ServerConfig = z.infer<typeof ServerConfig>;

/** Environment name → path in the configuration. The only place that knows environment names. */
export const environmentNames: Readonly<Record<string, readonly [string, string]>> = {
  PULSE_DATA_DIR: ['server', 'dataDir'],
  PULSE_HOST: ['server', 'host'],
  PULSE_HTTP_PORT: ['server', 'httpPort'],
  PULSE_OTLP_HTTP_PORT: ['server', 'otlpHttpPort'],
  PULSE_OTLP_GRPC_PORT: ['server', 'otlpGrpcPort'],
  PULSE_CLICKHOUSE_HTTP_PORT: ['server', 'clickhouseHttpPort'],
  PULSE_CLICKHOUSE_URL: ['store', 'url'],
  PULSE_CORS_ORIGINS: ['server', 'corsOrigins'],
  PULSE_TLS_CERT: ['server', 'tlsCert'],
  PULSE_TLS_KEY: ['server', 'tlsKey'],
  PULSE_TLS: ['server', 'tls'],
  PULSE_LOG_LEVEL: ['server', 'logLevel'],
  PULSE_TARGET: ['server', 'target'],
  PULSE_OPERATOR_TOKEN: ['access', 'operatorToken'],
  PULSE_KAFKA_BROKERS: ['log', 'kafkaBrokers'],
  PULSE_KAFKA_TOPIC_PREFIX: ['log', 'kafkaTopicPrefix'],
  PULSE_KAFKA_PARTITIONS: ['log', 'kafkaPartitions'],
  PULSE_KAFKA_REPLICATION: ['log', 'kafkaReplication'],
  PULSE_KAFKA_TLS: ['log', 'kafkaTls'],
  PULSE_KAFKA_TLS_CA: ['log', 'kafkaTlsCa'],
  PULSE_KAFKA_TLS_CERT: ['log', 'kafkaTlsCert'],
  PULSE_KAFKA_TLS_KEY: ['log', 'kafkaTlsKey'],
  PULSE_KAFKA_SASL_MECHANISM: ['log', 'kafkaSaslMechanism'],
  PULSE_KAFKA_SASL_USERNAME: ['log', 'kafkaSaslUsername'],
  PULSE_KAFKA_SASL_PASSWORD: ['log', 'kafkaSaslPassword'],
  PULSE_SPOOL_MIB: ['log', 'spoolMiB'],
  PULSE_POSTGRES_URL: ['control', 'postgresUrl'],
  PULSE_POSTGRES_CONNECTIONS: ['control', 'connections'],
  PULSE_LEASE_SECONDS: ['control', 'leaseSeconds'],
  PULSE_FORWARD_OTLP_ENDPOINT: ['forwarding', 'endpoint'],
  PULSE_FORWARD_OTLP_HEADERS: ['forwarding', 'headers'],
  PULSE_FORWARD_OTLP_COMPRESSION: ['forwarding', 'compression'],
  PULSE_FORWARD_SIGNALS: ['forwarding', 'signals'],
  PULSE_FORWARD_TENANTS: ['forwarding', 'tenants'],
  PULSE_FORWARD_DERIVED: ['forwarding', 'derived'],
  PULSE_FORWARD_MAX_AGE_HOURS: ['forwarding', 'maxAgeHours'],
  PULSE_BACKUP_DIRECTORY: ['backup', 'directory'],
  PULSE_BACKUP_EVERY_HOURS: ['backup', 'everyHours'],
  PULSE_BACKUP_KEEP: ['backup', 'keep'],
  PULSE_DEMO: ['demo', 'enabled'],
  PULSE_DEMO_DAYS: ['demo', 'days'],
  PULSE_DEMO_TENANTS: ['demo', 'tenants'],
  PULSE_DEMO_SEED: ['demo', 'seed'],
  PULSE_AGENT: ['agent', 'enabled'],
};

/** What the command line asked for besides settings. */
export interface Invocation {
  readonly checkConfig: boolean;
  readonly printConfig: boolean;
  readonly listModules: boolean;
  readonly help: boolean;
}

/** Read by the command line and the test scripts, not by the server. */
const foreignNames = new Set(['PULSE_URL', 'PULSE_TOKEN', 'PULSE_SERVERS_DIR', 'PULSE_TEST_SECONDS']);

export interface RawConfig {
  readonly sections: Record<string, Record<string, unknown>>;
  /** `PULSE_…` variables that are set and that nothing reads: misspelled, or of a part that this version does not serve. */
  readonly unreadNames: readonly string[];
  readonly invocation: Invocation;
}

/** Switch for sections that are on or off as a whole: `on`, `off` or a boolean. */
export const enabledFlag = flag;

/**
 * Gathers settings: YAML file, then environment, then command line, the later ones win. Reads nothing else of the environment.
 *
 * *Errors* `config.invalid` for an unknown option, an unreadable file or a section that is no mapping.
 */
export function readConfig(argv: readonly string[], environment: NodeJS.ProcessEnv): RawConfig {
  const options = parseOptions(argv);
  const sections: Record<string, Record<string, unknown>> = options.config ? readYaml(options.config) : {};
  const set = (section: string, key: string, value: unknown) => {
    sections[section] = { ...sections[section], [key]: value };
  };
  for (const [name, [section, key]] of Object.entries(environmentNames)) {
    const value = environment[name];
    if (value !== undefined && value !== '') set(section, key, value);
  }
  if (options['data-dir'] !== undefined) set('server', 'dataDir', options['data-dir']);
  if (options.target !== undefined) set('server', 'target', options.target);
  if (options.demo !== undefined) set('demo', 'enabled', options.demo);
  return {
    sections,
    unreadNames: Object.keys(environment).filter(
      (name) => name.startsWith('PULSE_') && !(name in environmentNames) && !foreignNames.has(name),
    ),
    invocation: {
      checkConfig: options['check-config'] === true,
      printConfig: options['print-config'] === true,
      listModules: options['list-modules'] === true,
      help: options.help === true,
    },
  };
}

function parseOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        'data-dir': { type: 'string' },
        target: { type: 'string' },
        config: { type: 'string' },
        demo: { type: 'string' },
        'check-config': { type: 'boolean' },
        'print-config': { type: 'boolean' },
        'list-modules': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new AppError('config.invalid', error instanceof Error ? error.message : String(error), { status: 400 });
  }
}

function readYaml(file: string): Record<string, Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseYaml(readFileSync(file, 'utf8')) ?? {};
  } catch (cause) {
    throw new AppError('config.invalid', `${file} cannot be read as YAML: ${String(cause)}`, { status: 400, cause });
  }
  const parsed = z.record(z.string(), z.record(z.string(), z.unknown())).safeParse(value);
  if (!parsed.success) {
    throw new AppError(
      'config.invalid',
      `${file} must map section names to settings: ${z.prettifyError(parsed.error)}`,
      {
        status: 400,
        cause: parsed.error,
      },
    );
  }
  return parsed.data;
}

/**
 * Parses every section with its schema and freezes it; all mistakes are reported together with their paths.
 *
 * *Errors* `config.invalid`: unknown sections, unknown keys, wrong values.
 */
export function parseSections(
  sections: Readonly<Record<string, Record<string, unknown>>>,
  schemas: Readonly<Record<string, z.ZodType>>,
): Readonly<Record<string, unknown>> {
  const mistakes: string[] = [];
  const parsed: Record<string, unknown> = {};
  for (const name of Object.keys(sections)) {
    if (!(name in schemas)) mistakes.push(`${name}: no such section (known: ${Object.keys(schemas).join(', ')})`);
  }
  for (const [name, schema] of Object.entries(schemas)) {
    const strict = schema instanceof z.ZodObject ? schema.strict() : schema;
    const result = strict.safeParse(sections[name] ?? {});
    if (result.success) parsed[name] = Object.freeze(result.data);
    else for (const issue of result.error.issues) mistakes.push(`${[name, ...issue.path].join('.')}: ${issue.message}`);
  }
  if (mistakes.length > 0) {
    throw new AppError(
      'config.invalid',
      `the configuration has ${mistakes.length} mistake(s)\n  ${mistakes.join('\n  ')}`,
      {
        status: 400,
      },
    );
  }
  return Object.freeze(parsed);
}

/** Refuses a listener that would carry credentials in the clear. *Source* spec, "Transport". */
export function checkTransport(config: ServerConfig): void {
  const loopback = ['127.0.0.1', '::1', 'localhost'].includes(config.host);
  if (config.headersTimeoutSeconds > config.requestTimeoutSeconds) {
    throw new AppError('config.invalid', 'server.headersTimeoutSeconds is part of server.requestTimeoutSeconds', {
      field: 'server.headersTimeoutSeconds',
    });
  }
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) {
    throw new AppError('config.invalid', 'server.tlsCert and server.tlsKey go together', { field: 'server.tlsCert' });
  }
  if (!loopback && config.tlsCert === undefined && config.tls !== 'terminated-upstream') {
    throw new AppError(
      'config.invalid',
      `server.host ${config.host} is reachable from outside and has no TLS: set PULSE_TLS_CERT and PULSE_TLS_KEY, or PULSE_TLS=terminated-upstream when a proxy does it`,
      { field: 'server.host' },
    );
  }
}
