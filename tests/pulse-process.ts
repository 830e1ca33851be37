import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { copyEmptyStore } from 'streams/store/test-store';

const root = join(import.meta.dirname, '..');

/** Where processes under test keep compiled code; one that is killed writes nothing there. */
export const compileCache = join(root, 'node_modules/.cache/node');

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
/** V8's flags of `npm start`. */
export const startFlags = scripts.start.match(/ --[\w=-]+/g)?.map((flag) => flag.trim()) ?? [];

/** A running server under test, in a process of its own, on free ports. */
export interface PulseProcess {
  readonly http: string;
  readonly otlpHttp: string;
  readonly otlpGrpc: string;
  /** Null unless `PULSE_CLICKHOUSE_HTTP_PORT` is given. */
  readonly clickhouseHttp: string | null;
  readonly dataDir: string;
  readonly token: string;
  readonly child: ChildProcess;
  /** Everything the server wrote so far. */
  output(): string;
  /** SIGTERM and the exit code. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

/** Starts `main.ts` without demo and agent unless `environment` says otherwise; fails with the server's output when it ends before it is ready. */
export async function startPulse(
  options: {
    readonly dataDir?: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly args?: readonly string[];
    readonly nodeArgs?: readonly string[];
    /** The server makes its control plane and tables itself, instead of finding empty ones. */
    readonly firstStart?: boolean;
  } = {},
): Promise<PulseProcess> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'pulse-test-'));
  if (options.firstStart !== true && !existsSync(join(dataDir, 'control'))) {
    await copyEmptyControl(join(dataDir, 'control'));
    if (!existsSync(join(dataDir, 'store'))) await copyEmptyStore(join(dataDir, 'store'));
  }
  const child = spawn(
    process.execPath,
    [...startFlags, ...(options.nodeArgs ?? []), join(root, 'main.ts'), ...(options.args ?? [])],
    {
      cwd: root,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        UV_THREADPOOL_SIZE: '12',
        NODE_COMPILE_CACHE: compileCache,
        MALLOC_ARENA_MAX: '4',
        PULSE_DATA_DIR: dataDir,
        PULSE_HTTP_PORT: '0',
        PULSE_OTLP_HTTP_PORT: '0',
        PULSE_OTLP_GRPC_PORT: '0',
        PULSE_DEMO: 'off',
        PULSE_AGENT: 'off',
        PULSE_LOG_LEVEL: 'warn',
        ...options.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const lines: string[] = [];
  const ready = new Promise<Pick<PulseProcess, 'http' | 'otlpHttp' | 'otlpGrpc' | 'clickhouseHttp'>>(
    (resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        lines.push(line);
        if (line.startsWith('ready ')) resolve(JSON.parse(line.slice('ready '.length)));
      });
      createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
      child.once('exit', (code, signal) => {
        // The last lines may still be in the pipe.
        setTimeout(
          () => reject(new Error(`the server ended (${code ?? signal}) before it was ready:\n${lines.join('\n')}`)),
          100,
        );
      });
    },
  );
  const addresses = await ready;
  return {
    ...addresses,
    dataDir,
    token:
      options.environment?.['PULSE_OPERATOR_TOKEN'] ?? readFileSync(join(dataDir, 'operator.token'), 'utf8').trim(),
    child,
    output: () => lines.join('\n'),
    stop: () => end(child, 'SIGTERM'),
    kill: async () => void (await end(child, 'SIGKILL')),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const gone = once(child, 'exit');
  child.kill(signal);
  const [code] = (await gone) as [number | null];
  return code;
}

/** Calls the API with a token; answers status and parsed body. */
export async function call<T = Record<string, unknown>>(
  pulse: Pick<PulseProcess, 'http' | 'token'>,
  path: string,
  init: { readonly method?: string; readonly body?: unknown; readonly token?: string } = {},
): Promise<{ status: number; body: T }> {
  const response = await fetch(`${pulse.http}${path}`, {
    method: init.method ?? (init.body === undefined ? 'GET' : 'POST'),
    headers: {
      authorization: `Bearer ${init.token ?? pulse.token}`,
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as T };
}

/** Creates a tenant and answers its key. */
export async function createTenant(
  pulse: PulseProcess,
  tenant: Readonly<Record<string, unknown>> & { readonly id: string },
): Promise<string> {
  const { status, body } = await call<{ apiKey: string }>(pulse, '/api/v1/tenants', {
    body: { name: tenant.id, ...tenant },
  });
  if (status !== 201) throw new Error(`tenant ${tenant.id} was not created: ${status} ${JSON.stringify(body)}`);
  return body.apiKey;
}

/** A metric of `/metrics`, summed over its labels. *Errors* when there is none of that name. */
export async function metricSum(pulse: PulseProcess, metric: string): Promise<number> {
  const text = await (await fetch(`${pulse.http}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
    Number(value),
  );
  if (values.length === 0) throw new Error(`/metrics has no ${metric}`);
  return values.reduce((total, value) => total + value, 0);
}

/** Asks until the answer satisfies, or fails with the last answer after `seconds`. */
export async function until<T>(ask: () => Promise<T>, satisfied: (answer: T) => boolean, seconds = 30): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (satisfied(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`not satisfied after ${seconds} s: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
