import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseExposition, type Samples } from './exposition.ts';

const run = promisify(execFile);
const script = join(import.meta.dirname, '../otelcol.sh');
const configurations = join(import.meta.dirname, '../../../collectors/otel-collector');

/** A real collector with one of the project's configurations. */
export interface OtelCollector {
  readonly otlpHttp: string;
  readonly otlpGrpc: string;
  /** What it says of itself. */
  metrics(): Promise<Samples>;
  /** SIGKILL; `start` then takes the same ports and the same queue. */
  kill(): void;
  stop(): Promise<void>;
  start(): Promise<void>;
  log(): string;
  remove(): void;
}

/** Obtains the collector when it is not there yet: some minutes, once. */
export async function installCollector(): Promise<void> {
  await run('bash', [script, 'install'], { maxBuffer: 64 * 1024 * 1024 });
}

/** Starts a collector; `environment` are the configuration's variables. */
export async function startCollector(
  configuration: 'sidecar.yaml' | 'gateway.yaml',
  environment: Readonly<Record<string, string>>,
): Promise<OtelCollector> {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-otelcol-'));
  const start = async () => {
    const { stdout } = await run('bash', [script, 'start', dir, join(configurations, configuration)], {
      env: { ...process.env, ...environment },
    });
    return stdout.trim().split('\n');
  };
  const [otlpHttp = '', otlpGrpc = '', self = ''] = await start();
  return {
    otlpHttp,
    otlpGrpc,
    metrics: async () => parseExposition(await (await fetch(self)).text()),
    kill: () => {
      process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), 'SIGKILL');
    },
    stop: async () => void (await run('bash', [script, 'stop', dir])),
    start: async () => void (await start()),
    log: () => readFileSync(join(dir, 'otelcol.log'), 'utf8'),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Runs telemetrygen to its end. *Errors* rejects with what it wrote when it gave up. */
export async function generateTelemetry(
  signal: 'metrics' | 'traces' | 'logs',
  options: {
    readonly endpoint: string;
    readonly protocol: 'http' | 'grpc';
    readonly service: string;
    /** Points, traces (of two spans each) or log records. */
    readonly count: number;
    readonly perSecond: number;
    readonly apiKey?: string;
  },
): Promise<void> {
  const { stdout: telemetrygen } = await run('bash', [script, 'telemetrygen']);
  const { count, protocol, apiKey } = options;
  await run(telemetrygen.trim(), [
    signal,
    `--${signal}`,
    String(count),
    '--rate',
    String(options.perSecond),
    '--workers',
    '1',
    '--service',
    options.service,
    '--otlp-insecure',
    '--otlp-endpoint',
    options.endpoint.replace(/^http:\/\//, ''),
    ...(protocol === 'http' ? ['--otlp-http'] : []),
    ...(apiKey === undefined ? [] : ['--otlp-header', `authorization="Bearer ${apiKey}"`]),
    // two points of one series in one millisecond would be one point
    ...(signal === 'metrics' ? ['--unique-timeseries'] : []),
  ]).catch((error: { stderr?: string }) => {
    throw new Error(`telemetrygen ${signal} over ${protocol}: ${error.stderr?.slice(-2_000) ?? String(error)}`);
  });
}
