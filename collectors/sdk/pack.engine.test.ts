import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Reader } from 'protobufjs';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const sdk = dirname(fileURLToPath(import.meta.url));
const repository = join(sdk, '..', '..');

/** The first `name` on the PATH outside node_modules: what the machine itself has. */
function systemProgram(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder === '' || folder.includes('node_modules')) continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (!realpathSync(file).startsWith(repository)) return file;
    } catch {
      // not here
    }
  }
  return undefined;
}

interface Arrived {
  readonly path: string;
  readonly headers: Record<string, unknown>;
  readonly body: Uint8Array;
}
const arrived: Arrived[] = [];
let server: Server;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pulse-sdk-'));
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const packed = Buffer.concat(parts);
      if (request.headers.authorization !== 'Bearer key-1') {
        response.writeHead(401, { 'content-type': 'application/json' });
        response.end('{"code":16,"message":"access.unauthenticated: the bearer credential is not known"}');
        return;
      }
      arrived.push({
        path: request.url ?? '',
        headers: request.headers,
        body: request.headers['content-encoding'] === 'gzip' ? gunzipSync(packed) : packed,
      });
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const PROGRAM = `
import { startPulse } from '@dotmac/pulse-sdk';
const pulse = startPulse({ endpoint: process.argv[2], apiKey: process.argv[3], serviceName: 'api', serviceVersion: '9', instanceId: 'i-1',
  tenantId: 'isp-packed', region: 'eu-west', metricIntervalMs: 60000 });
pulse.meter('m').createCounter('dotmac.logins').add(3);
pulse.tracer('t').startSpan('sign in').end();
pulse.logger('l').emit({ body: 'hello', severityNumber: 9 });
await pulse.shutdown();
console.log(process.version);
`;

it('the packed SDK installs in an empty folder and sends all three signals from the system Node', async ({ skip }) => {
  const node = systemProgram('node');
  const npm = systemProgram('npm');
  if (node === undefined || npm === undefined) {
    const missing = 'no system node and npm on the PATH: the packed SDK was NOT tested';
    if (process.env['CI'] !== undefined) throw new Error(missing);
    console.warn(missing);
    skip(missing);
    return;
  }
  const tarball = await pack(node, npm);
  const consumer = join(folder, 'consumer');
  mkdirSync(consumer);
  writeFileSync(join(consumer, 'package.json'), '{"name":"consumer","private":true,"type":"module"}');
  const environment = {
    ...process.env,
    PATH: `${dirname(node)}${delimiter}${dirname(npm)}${delimiter}${process.env['PATH']}`,
  };
  await run(npm, ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
    cwd: consumer,
    env: environment,
  });
  writeFileSync(join(consumer, 'program.js'), PROGRAM);
  const installed = readdirSync(join(consumer, 'node_modules/@dotmac/pulse-sdk/dist'));
  expect(installed.sort()).toEqual(
    ['failures', 'index', 'options', 'points', 'pulse', 'running-numbers'].flatMap((name) => [
      `${name}.d.ts`,
      `${name}.js`,
    ]),
  );

  await typeCheck(consumer);
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const printed = await run(node, ['program.js', endpoint, 'key-1'], { cwd: consumer, env: environment });
  expect(Number(printed.stdout.slice(1).split('.')[0])).toBeGreaterThanOrEqual(20);

  expect(arrived.map((request) => request.path).sort()).toEqual(['/v1/logs', '/v1/metrics', '/v1/traces']);
  for (const request of arrived) {
    expect(request.headers).toMatchObject({
      authorization: 'Bearer key-1',
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
    });
    expect(resourceOf(request.body)).toMatchObject({
      'service.namespace': 'dotmac',
      'service.name': 'api',
      'service.version': '9',
      'service.instance.id': 'i-1',
      'cloud.region': 'eu-west',
      'dotmac.tenant.id': 'isp-packed',
    });
  }
  const bodies = new Map(arrived.map((request) => [request.path, Buffer.from(request.body).toString('latin1')]));
  expect(bodies.get('/v1/metrics')).toContain('dotmac.logins');
  expect(bodies.get('/v1/traces')).toContain('sign in');
  expect(bodies.get('/v1/logs')).toContain('hello');

  const refused = await run(node, ['program.js', endpoint, 'wrong'], { cwd: consumer, env: environment }).then(
    () => ({ code: 0, stderr: '' }),
    (error: { code: number; stderr: string }) => error,
  );
  expect(refused.code).toBe(1);
  const lines = refused.stderr.split('\n').filter((line) => line.startsWith('pulse-sdk: '));
  expect(lines.sort()).toEqual(
    ['logs', 'metrics', 'traces'].map(
      (signal) =>
        `pulse-sdk: nothing was stored: ${endpoint}/v1/${signal} answered 401 access.unauthenticated: the bearer credential is not known`,
    ),
  );
});

/** Packs a copy, so that the workspace's own manifest is never seen changed by programs that run meanwhile. */
async function pack(node: string, npm: string): Promise<string> {
  const copy = join(folder, 'collectors', 'sdk');
  cpSync(sdk, copy, { recursive: true, filter: (path) => !path.startsWith(join(sdk, 'dist')) });
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  const packed = await run(npm, ['pack', '--json'], {
    cwd: copy,
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` },
  });
  const entries = Object.values(JSON.parse(packed.stdout.slice(packed.stdout.search(/^[[{]/m)))) as {
    filename: string;
    files: { path: string }[];
  }[];
  const entry = entries[0];
  if (entry === undefined) throw new Error(`npm pack printed ${packed.stdout}`);
  expect(
    entry.files.map((file) => file.path).filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts')),
  ).toEqual([]);
  rmSync(join(folder, 'node_modules'));
  return join(copy, entry.filename);
}

/** The declarations serve a TypeScript consumer. */
async function typeCheck(consumer: string): Promise<void> {
  writeFileSync(
    join(consumer, 'typed.ts'),
    "import { type Pulse, startPulse } from '@dotmac/pulse-sdk';\nexport const pulse: Pulse = startPulse({ endpoint: 'http://x', apiKey: 'k', serviceName: 's' });\n// @ts-expect-error a number is no key\nstartPulse({ endpoint: 'http://x', apiKey: 1, serviceName: 's' });\n",
  );
  const compiler = join(repository, 'node_modules/typescript/bin/tsc');
  const checked = await run(
    process.execPath,
    [compiler, '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', '', 'typed.ts'],
    { cwd: consumer },
  ).catch((error: { stdout: string }) => error);
  expect(checked.stdout).toBe('');
}

/** Resource attributes of the first resource of an `Export…ServiceRequest`: fields 1 (resource telemetry), 1 (resource), 1 (key and value). */
function resourceOf(body: Uint8Array): Record<string, string> {
  const resource = field(field(body, 1)[0], 1)[0];
  return Object.fromEntries(
    field(resource, 1).map((pair) => [textOf(field(pair, 1)[0]), textOf(field(field(pair, 2)[0], 1)[0])]),
  );
}

const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function field(message: Uint8Array | undefined, number: number): Uint8Array[] {
  if (message === undefined) return [];
  const reader = Reader.create(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === number && (tag & 7) === 2) found.push(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return found;
}
