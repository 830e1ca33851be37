import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type RawBuilder, sql } from 'kysely';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { encodeOtlp } from 'streams/otlp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, compileCache, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { inControl, inEngine, inStore } from './stopped-data.ts';

const root = join(import.meta.dirname, '../..');
const scratch: string[] = [];
const newDir = () => {
  const dir = mkdtempSync(join(tmpdir(), 'pulse-bad-'));
  scratch.push(dir);
  return dir;
};

let pulse: PulseProcess;
let key: string;

beforeAll(async () => {
  pulse = await startPulse();
  key = await createTenant(pulse, { id: 'isp-one' });
  await createTenant(pulse, { id: 'isp-two' });
});
afterAll(async () => {
  await pulse?.stop();
  for (const dir of [pulse?.dataDir, ...scratch]) if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

const range = () =>
  `start=${new Date(Date.now() - 86_400_000).toISOString()}&end=${new Date(Date.now() + 3_600_000).toISOString()}`;
const nothing = { points: 0, spans: 0, logRecords: 0, usageEvents: 0 };
const protobuf = 'application/x-protobuf';
const json = 'application/json';

const nanos = (ms: number) => `${BigInt(ms) * 1_000_000n}`;
function gauge(times: readonly number[], tenant?: string): Uint8Array {
  const attributes = tenant === undefined ? [] : [{ key: 'dotmac.tenant.id', value: { stringValue: tenant } }];
  const dataPoints = times.map((time) => ({ timeUnixNano: nanos(time), asDouble: 1 }));
  return encodeOtlp('metrics', {
    resourceMetrics: [
      { resource: { attributes }, scopeMetrics: [{ metrics: [{ name: 'bad.input', gauge: { dataPoints } }] }] },
    ],
  });
}

interface Refusal {
  readonly what: string;
  readonly path: string;
  readonly body: Uint8Array | string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  readonly code: string;
  readonly token?: string;
  /** Length of the whole body when only its start is sent. */
  readonly declares?: number;
}

const mebibyte = 1024 * 1024;
const good = () => gauge([Date.now()]);
const usage = '/api/v1/plugins/usage-events';
const event = (change: object) =>
  JSON.stringify({
    ...{ specversion: '1.0', id: 'e', source: 'urn:x', type: 'api_calls', data: { value: '1' } },
    ...change,
  });
/** 1 : 1000 and more: 200 MiB of one byte. */
const bomb = () => gzipSync(Buffer.alloc(200 * mebibyte, 0x0a), { level: 9 });

const refusals: readonly Refusal[] = [
  {
    what: 'no key',
    path: '/v1/metrics',
    body: good(),
    headers: { 'content-type': protobuf },
    status: 401,
    code: 'access.unauthenticated',
    token: '',
  },
  {
    what: 'an unknown key',
    path: '/v1/metrics',
    body: good(),
    headers: { 'content-type': protobuf },
    status: 401,
    code: 'access.unauthenticated',
    token: `pk_${'0'.repeat(12)}_${'A'.repeat(43)}`,
  },
  {
    what: 'an unknown key for usage events',
    path: usage,
    body: event({}),
    headers: { 'content-type': json },
    status: 401,
    code: 'access.unauthenticated',
    token: 'nonsense',
  },
  {
    what: "another tenant's id in the resource",
    path: '/v1/metrics',
    body: gauge([Date.now()], 'isp-two'),
    headers: { 'content-type': protobuf },
    status: 403,
    code: 'ingest.tenant_mismatch',
  },
  {
    what: 'malformed protobuf',
    path: '/v1/metrics',
    body: Buffer.from('this is not protobuf'),
    headers: { 'content-type': protobuf },
    status: 400,
    code: 'otlp.malformed',
  },
  {
    what: 'protobuf that ends early',
    path: '/v1/metrics',
    body: good().subarray(0, -3),
    headers: { 'content-type': protobuf },
    status: 400,
    code: 'otlp.malformed',
  },
  {
    what: 'malformed protobuf of traces',
    path: '/v1/traces',
    body: Buffer.from([0x0a, 0xff]),
    headers: { 'content-type': protobuf },
    status: 400,
    code: 'otlp.malformed',
  },
  {
    what: 'malformed protobuf of logs',
    path: '/v1/logs',
    body: Buffer.from([0xff, 0xff, 0xff]),
    headers: { 'content-type': protobuf },
    status: 400,
    code: 'otlp.malformed',
  },
  {
    what: 'malformed JSON',
    path: '/v1/metrics',
    body: '{"resourceMetrics":[',
    headers: { 'content-type': json },
    status: 400,
    code: 'otlp.malformed_json',
  },
  {
    what: 'JSON of another shape',
    path: '/v1/traces',
    body: '{"resourceSpans":{}}',
    headers: { 'content-type': json },
    status: 400,
    code: 'otlp.malformed_json',
  },
  {
    what: 'a wrong content type',
    path: '/v1/metrics',
    body: 'name,value',
    headers: { 'content-type': 'text/csv' },
    status: 415,
    code: 'ingest.media_type',
  },
  {
    what: 'an unknown encoding',
    path: '/v1/metrics',
    body: good(),
    headers: { 'content-type': protobuf, 'content-encoding': 'br' },
    status: 415,
    code: 'ingest.encoding_unsupported',
  },
  {
    what: 'gzip that is none',
    path: '/v1/metrics',
    body: good(),
    headers: { 'content-type': protobuf, 'content-encoding': 'gzip' },
    status: 400,
    code: 'ingest.encoding_malformed',
  },
  {
    what: 'a body that is too large',
    path: '/v1/metrics',
    body: ' ',
    declares: 21 * mebibyte,
    headers: { 'content-type': protobuf },
    status: 413,
    code: 'ingest.too_large',
  },
  {
    what: 'a gzip bomb',
    path: '/v1/metrics',
    body: bomb(),
    headers: { 'content-type': protobuf, 'content-encoding': 'gzip' },
    status: 413,
    code: 'ingest.too_large',
  },
  {
    what: 'a gzip bomb as JSON',
    path: '/v1/logs',
    body: bomb(),
    headers: { 'content-type': json, 'content-encoding': 'gzip' },
    status: 413,
    code: 'ingest.too_large',
  },
  {
    what: 'usage events: malformed JSON',
    path: usage,
    body: '{"id":',
    headers: { 'content-type': json },
    status: 400,
    code: 'request.malformed_json',
  },
  {
    what: 'usage events: a wrong content type',
    path: usage,
    body: 'x',
    headers: { 'content-type': 'text/csv' },
    status: 415,
    code: 'request.media_type',
  },
  {
    what: 'usage events: a value that is no decimal',
    path: usage,
    body: event({ data: { value: 'NaN' } }),
    headers: { 'content-type': json },
    status: 400,
    code: '*',
  },
  {
    what: 'usage events: a value that a number cannot hold',
    path: usage,
    body: event({ data: { value: 0.1 } }),
    headers: { 'content-type': json },
    status: 400,
    code: '*',
  },
  {
    what: 'usage events: no id',
    path: usage,
    body: event({ id: '' }),
    headers: { 'content-type': json },
    status: 400,
    code: '*',
  },
  {
    what: 'usage events: one bad event of two',
    path: usage,
    body: `[${event({})},${event({ id: 'f', data: {} })}]`,
    headers: { 'content-type': json },
    status: 400,
    code: '*',
  },
  {
    what: 'usage events: too large',
    path: usage,
    body: ' ',
    declares: 21 * mebibyte,
    headers: { 'content-type': json },
    status: 413,
    code: 'request.too_large',
  },
  {
    what: 'monitoring: an unknown status',
    path: '/api/v1/monitoring/health-checks',
    body: '{"component":"radius","status":"fine"}',
    headers: { 'content-type': json },
    status: 400,
    code: 'request.invalid',
  },
  {
    what: 'monitoring: malformed JSON',
    path: '/api/v1/monitoring/metrics',
    body: '[',
    headers: { 'content-type': json },
    status: 400,
    code: 'request.malformed_json',
  },
  {
    what: 'monitoring: too large',
    path: '/api/v1/monitoring/metrics',
    body: ' ',
    declares: 2 * mebibyte,
    headers: { 'content-type': json },
    status: 413,
    code: 'request.too_large',
  },
];

/** The code of a refusal: of problem+json, or in front of the message of a google.rpc.Status in JSON or protobuf. */
function codeOf(contentType: string, body: Buffer): string {
  if (contentType.startsWith('application/problem+json')) return (JSON.parse(body.toString()) as { code: string }).code;
  const message = contentType.startsWith(json)
    ? (JSON.parse(body.toString()) as { message: string }).message
    : // field 2, length-delimited: the message of the status.
      body.subarray(body.indexOf(0x12) + 2).toString();
  return message.split(':')[0]?.replace(/^[^a-z]+/, '') ?? '';
}

async function send({ path, body, headers, token, declares }: Refusal): Promise<{ status: number; code: string }> {
  const base = path.startsWith('/v1/') ? pulse.otlpHttp : pulse.http;
  const call = request(`${base}${path}`, {
    method: 'POST',
    headers: {
      ...headers,
      'content-length': declares ?? Buffer.byteLength(body),
      ...(token === '' ? {} : { authorization: `Bearer ${token ?? key}` }),
    },
  });
  // A body that is refused by its length is not sent to its end: the server closes, and writing on would lose the answer.
  if (declares === undefined) call.end(body);
  else call.write(body);
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  call.on('error', () => undefined).destroy();
  return {
    status: response.statusCode ?? 0,
    code: codeOf(response.headers['content-type'] ?? '', Buffer.concat(chunks)),
  };
}

const residentMiB = () => {
  const status = readFileSync(`/proc/${pulse.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
};

describe('bad input', () => {
  test.each(refusals)('$what → $status $code', async (refusal) => {
    const answer = await send(refusal);
    expect(answer.status).toBe(refusal.status);
    if (refusal.code === '*') expect(answer.code).toMatch(/^[a-z_]+\.[a-z_]+$/);
    else expect(answer.code).toBe(refusal.code);
  });

  test('ten bombs at once cost no memory to speak of', async () => {
    const before = residentMiB();
    const body = bomb();
    const one: Refusal = { what: '', path: '/v1/metrics', body, headers: {}, status: 413, code: '' };
    const headers = { 'content-type': protobuf, 'content-encoding': 'gzip' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => send({ ...one, headers })));
    // A bomb is 413; one that finds the memory for bodies taken is told to come again.
    expect(new Set(answers.map(({ status }) => [413, 503].includes(status)))).toEqual(new Set([true]));
    // Ten times 200 MiB would be 2 GB.
    expect(residentMiB() - before).toBeLessThan(900);
  });

  test('leaves nothing behind: counts stay 0, and the next good request is taken', async () => {
    const counts = async () => (await call(pulse, `/api/v1/telemetry/counts?${range()}`, { token: key })).body;
    expect(await counts()).toEqual(nothing);
    const { status } = await send({ ...refusals[4], body: good() } as Refusal);
    expect(status).toBe(200);
    // What would have been stored of the earlier ones stands before this point in the log.
    expect(await until(counts, (body) => body['points'] !== 0)).toEqual({ ...nothing, points: 1 });
  });
});

/** Runs `main.ts` until it ends by itself. */
async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(root, 'main.ts'), ...args], {
    cwd: root,
    env: {
      ...{ PATH: process.env['PATH'], HOME: process.env['HOME'], UV_THREADPOOL_SIZE: '8' },
      NODE_COMPILE_CACHE: compileCache,
      ...{
        PULSE_HTTP_PORT: '0',
        PULSE_OTLP_HTTP_PORT: '0',
        PULSE_OTLP_GRPC_PORT: '0',
        PULSE_DEMO: 'off',
        PULSE_AGENT: 'off',
      },
      ...{ PULSE_LOG_LEVEL: 'warn', ...environment },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), 110_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, output };
}

/** Every file below a directory with its bytes' length and content; sockets and the lock left out. */
function contentOf(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const info = statSync(join(dir, name), { throwIfNoEntry: false });
    return info?.isFile() && !name.startsWith('pulse.lock');
  });
  return Object.fromEntries(files.toSorted().map((name) => [name, readFileSync(join(dir, name)).toString('base64')]));
}

describe('a start that cannot be', () => {
  test('an unknown option ends with the option and no data directory', async () => {
    const dir = join(newDir(), 'data');
    const { code, output } = await run(['--nonsense'], { PULSE_DATA_DIR: dir });
    expect(code).not.toBe(0);
    expect(output).toContain("'--nonsense'");
    expect(output).toContain('[config.invalid]');
    expect(statSync(dir, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('every wrong setting is named at once', async () => {
    const file = join(newDir(), 'pulse.yaml');
    writeFileSync(file, 'server:\n  host: ""\n  nonsense: 1\nstore:\n  memoryMiB: lots\nnowhere:\n  a: 1\n');
    const { code, output } = await run([`--config=${file}`]);
    expect(code).not.toBe(0);
    for (const place of ['server.host', 'nonsense', 'store.memoryMiB', 'nowhere']) expect(output).toContain(place);
  });

  test.each([
    ['--target=nothing-of-the-kind', {}, 'nothing-of-the-kind'],
    ['--config=/no/such/file.yaml', {}, '/no/such/file.yaml'],
    ['--check-config', { PULSE_HOST: '0.0.0.0' }, 'PULSE_TLS_CERT'],
    ['--check-config', { PULSE_HTTP_PORT: 'eighty' }, 'server.httpPort'],
  ] as const)('%s with %o ends naming it', async (option, environment, named) => {
    const { code, output } = await run([option], { PULSE_DATA_DIR: join(newDir(), 'data'), ...environment });
    expect(code).not.toBe(0);
    expect(output).toContain(named);
  });

  test('a data directory in use is refused by its name, and the first process goes on', async () => {
    const { code, output } = await run([], { PULSE_DATA_DIR: pulse.dataDir });
    expect(code).not.toBe(0);
    expect(output).toContain('[data.in_use]');
    expect(output).toContain(pulse.dataDir);
    expect(output).toContain('PULSE_DATA_DIR');
    expect((await fetch(`${pulse.http}/healthz`)).status).toBe(200);
  });

  test.each([['PULSE_HTTP_PORT'], ['PULSE_OTLP_HTTP_PORT'], ['PULSE_OTLP_GRPC_PORT']])(
    'a taken port is named with its variable %s',
    async (variable) => {
      const holder = createServer().listen(0, '127.0.0.1');
      await once(holder, 'listening');
      const { port } = holder.address() as { port: number };
      const dataDir = newDir();
      await copyEmptyControl(join(dataDir, 'control'));
      const { code, output } = await run([], { PULSE_DATA_DIR: dataDir, [variable]: String(port) });
      holder.close();
      expect(code).not.toBe(0);
      expect(output).toContain('[server.port_taken]');
      expect(output).toContain(`port ${port}`);
      expect(output).toMatch(new RegExp(`set ${variable}\\b`));
      expect(output).not.toContain('ready {');
    },
  );
});

/** Sends points, a request after another on several connections, until told to stop; answers how many were acknowledged. */
function load(
  target: PulseProcess,
  token: string,
): { stop(): void; acknowledged(): Promise<number>; done: Promise<number> } {
  let stopped = false;
  let acknowledged = 0;
  let next = Date.now() - 3_600_000;
  const sender = async (): Promise<void> => {
    while (!stopped) {
      const times = Array.from({ length: 20 }, () => next++);
      const answer = await fetch(`${target.otlpHttp}/v1/metrics`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': protobuf },
        body: Buffer.from(gauge(times)),
      }).then(
        (response) => response.status,
        () => 0,
      );
      if (answer === 200) acknowledged += times.length;
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const done = Promise.all(Array.from({ length: 8 }, sender)).then(() => acknowledged);
  return {
    acknowledged: async () => acknowledged,
    stop() {
      stopped = true;
    },
    done,
  };
}

describe('a data directory', () => {
  let dataDir: string;
  let token: string;
  let acknowledged = 0;
  const stored = async (server: PulseProcess) =>
    (await call(server, `/api/v1/telemetry/counts?${range()}`, { token })).body['points'];

  test('SIGTERM under load drains: exit code 0, and everything acknowledged is there after the restart', async () => {
    const first = await startPulse();
    dataDir = first.dataDir;
    scratch.push(dataDir);
    token = await createTenant(first, { id: 'isp-loaded' });
    const running = load(first, token);
    await until(running.acknowledged, (points) => points > 2000);
    const code = await first.stop();
    running.stop();
    acknowledged = await running.done;
    expect(code).toBe(0);
    expect(acknowledged).toBeGreaterThan(1000);
    const second = await startPulse({ dataDir });
    // Requests whose answer was lost may be stored too; none that was answered may be missing.
    const points = Number(
      await until(
        () => stored(second),
        (count) => Number(count) >= acknowledged,
      ),
    );
    expect(points - acknowledged).toBeLessThanOrEqual(8 * 20);
    acknowledged = points;
    expect(await second.stop()).toBe(0);
  });

  /** The directory still serves what it held. */
  async function expectWhole(): Promise<void> {
    const server = await startPulse({ dataDir });
    expect(await stored(server)).toBe(acknowledged);
    expect(await server.stop()).toBe(0);
  }

  test('of a newer layout is refused, and not a byte is changed', async () => {
    const copy = join(newDir(), 'data');
    cpSync(dataDir, copy, { recursive: true });
    writeFileSync(join(copy, 'VERSION'), '99\n');
    const before = contentOf(copy);
    const { code, output } = await run([], { PULSE_DATA_DIR: copy });
    expect(code).not.toBe(0);
    expect(output).toContain('[data.newer_version]');
    expect(output).toContain(copy);
    expect(contentOf(copy)).toEqual(before);
    expect(Object.keys(before).length).toBeGreaterThan(20);
    writeFileSync(join(copy, 'VERSION'), 'soup');
    const spoilt = await run([], { PULSE_DATA_DIR: copy });
    expect([spoilt.code === 0, spoilt.output.includes('[data.unusable]')]).toEqual([false, true]);
    expect(readFileSync(join(copy, 'VERSION'), 'utf8')).toBe('soup');
  });

  test('whose time series a newer version wrote is refused and left as it was', async () => {
    await inStore(dataDir, (store) =>
      store.execute("INSERT INTO schema_migrations SELECT 999, '0999_future', 'x', now64(3)"),
    );
    const { code, output } = await run([], { PULSE_DATA_DIR: dataDir });
    expect(code).not.toBe(0);
    expect(output).toContain('[store.newer_version]');
    expect(output).toContain('0999_future');
    // Not through the store: it refuses too.
    await inEngine(dataDir, ['ALTER TABLE schema_migrations DELETE WHERE version = 999 SETTINGS mutations_sync = 1']);
    await expectWhole();
  });

  test('whose control plane a newer version wrote is refused and left as it was', async () => {
    const superuser = async (statement: RawBuilder<unknown>) =>
      inControl(dataDir, async (tx) => {
        await sql`RESET ROLE`.execute(tx);
        await statement.execute(tx);
      });
    await superuser(sql`INSERT INTO pulse_migrations (name, checksum) VALUES ('0999_future.sql', 'x')`);
    const { code, output } = await run([], { PULSE_DATA_DIR: dataDir });
    expect(code).not.toBe(0);
    expect(output).toContain('[control.newer_version]');
    expect(output).toContain('0999_future');
    await expect(inControl(dataDir, async () => null)).rejects.toMatchObject({ code: 'control.newer_version' });
  });
});
