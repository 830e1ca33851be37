import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DecodedMetric, decodeMetrics, plain } from '../fleet/otlp-proto.fixture.ts';
import { createAgent } from './agent.ts';
import { enrol } from './enrol.ts';
import { folderBytes, readMachine } from './linux-machine.ts';
import { parseTargets, runProbe } from './probe.ts';

let folder: string;
const open: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pulse-agent-'));
});
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(folder, { recursive: true, force: true });
});

async function listen(answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(answer ?? (() => undefined));
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const probe = async (target: object) => {
  const [parsed] = parseTargets([{ component: 'x', ...target }]);
  if (parsed === undefined) throw new Error('no target');
  return runProbe(parsed);
};

it('HTTP probe: up, degraded when slow, down on an error status and when nothing answers in time', async () => {
  const url = await listen((request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end(), 60);
    else if (request.url !== '/never') response.writeHead(request.url === '/bad' ? 500 : 200).end('x');
  });
  expect(await probe({ kind: 'http', url: `${url}/` })).toMatchObject({ status: 'up' });
  expect(await probe({ kind: 'http', url: `${url}/slow`, degradedMs: 20 })).toMatchObject({ status: 'degraded' });
  expect(await probe({ kind: 'http', url: `${url}/bad` })).toMatchObject({ status: 'down', detail: 'status 500' });
  const never = await probe({ kind: 'http', url: `${url}/never`, timeoutMs: 80 });
  expect(never.status).toBe('down');
  expect(never.seconds).toBeGreaterThan(0.07);
});

it('TCP and DNS probes against real sockets and the real resolver', async () => {
  const server = createTcpServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await probe({ kind: 'tcp', host: '127.0.0.1', port })).toMatchObject({ status: 'up' });
  await new Promise((resolve) => server.close(resolve));
  expect(await probe({ kind: 'tcp', host: '127.0.0.1', port })).toMatchObject({ status: 'down' });
  expect(await probe({ kind: 'dns', name: 'localhost' })).toMatchObject({ status: 'up' });
  expect(await probe({ kind: 'dns', name: 'no-such-host.invalid', timeoutMs: 2_000 })).toMatchObject({
    status: 'down',
  });
});

it('names the wrong field of a target', () => {
  expect(() => parseTargets([{ kind: 'tcp', host: 'x', port: 70_000, component: 'a' }])).toThrow(
    expect.objectContaining({ code: 'agent.target_invalid', field: 'targets.0.port' }),
  );
});

it('reads the cgroup where there is one and the machine otherwise', async () => {
  const file = (path: string, content: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  file('proc/meminfo', 'MemTotal: 100 kB\nMemAvailable: 40 kB\n');
  file('proc/stat', 'cpu  100 0 100 500 0 0 0 0 0 0\n');
  file('proc/self/cgroup', '0::/pod\n');
  expect(await readMachine(folder)).toMatchObject({
    scope: 'machine',
    containerCpuSeconds: 2,
    containerMemoryBytes: 61440,
    containerMemoryLimitBytes: 102400,
  });
  file('sys/fs/cgroup/pod/cpu.stat', 'usage_usec 7000000\n');
  file('sys/fs/cgroup/pod/memory.current', '5000\n');
  file('sys/fs/cgroup/pod/memory.max', 'max\n');
  expect(await readMachine(folder)).toMatchObject({
    scope: 'cgroup',
    containerCpuSeconds: 7,
    containerMemoryBytes: 5000,
    containerMemoryLimitBytes: undefined,
  });
});

it('counts the bytes on disk below a folder', async () => {
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  writeFileSync(join(folder, 'a/b/c'), Buffer.alloc(100_000, 1));
  writeFileSync(join(folder, 'd'), Buffer.alloc(5_000, 1));
  const expected = (statSync(join(folder, 'a/b/c')).blocks + statSync(join(folder, 'd')).blocks) * 512;
  expect(expected).toBeGreaterThanOrEqual(105_000);
  expect(await folderBytes(folder)).toBe(expected);
});

it('measures the real machine and sends it; a component that recovers is not sent as down any more', async ({
  skip,
}) => {
  if (platform() !== 'linux') {
    console.warn('the agent reads Linux files: NOT tested on this system');
    skip();
  }
  let healthy = false;
  const target = await listen((_, response) => response.writeHead(healthy ? 200 : 500).end());
  const received: DecodedMetric[][] = [];
  const endpoint = await listen((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (request.url === '/v1/metrics') received.push(decodeMetrics(gunzipSync(Buffer.concat(parts))).metrics);
      response.end();
    });
  });
  const events: string[] = [];
  const agent = createAgent({
    endpoint,
    apiKey: 'k',
    tenantId: 'this-machine',
    targets: [{ kind: 'http', url: target, component: 'api' }],
    intervalMs: 60_000,
    dataDir: folder,
    onEvent: ({ message }) => events.push(message),
  });
  await new Promise((resolve) => setTimeout(resolve, 120));
  await agent.flush();
  healthy = true;
  await agent.flush();
  await agent.stop();
  const points = (batch: DecodedMetric[] | undefined, name: string) => {
    const metric = batch?.find((one) => one.name === name);
    return (
      (metric?.gauge ?? metric?.sum)?.dataPoints.map((point) => ({
        ...plain(point.attributes),
        value: Number(point.asInt ?? point.asDouble),
      })) ?? []
    );
  };
  const health = (batch: DecodedMetric[] | undefined) => points(batch, 'dotmac.health.status');
  expect(health(received[0])).toEqual([
    { component: 'api', status: 'down', 'dotmac.fault.domain': 'platform', value: 0 },
  ]);
  expect(health(received[1])).toEqual([
    { component: 'api', status: 'up', 'dotmac.fault.domain': 'platform', value: 1 },
  ]);
  expect(events).toEqual(['api is down: status 500', 'api is up: answered']);
  const [cpu] = points(received[0], 'container.cpu.usage');
  expect(cpu?.value).toBeGreaterThan(0);
  expect(points(received[0], 'container.memory.usage')[0]?.value).toBeGreaterThan(1_000_000);
  expect(points(received[0], 'system.cpu.time').length).toBeGreaterThanOrEqual(5);
  expect(points(received[0], 'dotmac.network.interface.io').length).toBeGreaterThanOrEqual(2);
  expect(points(received[0], 'dotmac.storage.usage').length).toBe(1);
  expect(points(received[0], 'system.filesystem.usage').length).toBe(2);
});

it('enrols once: the key is kept for its owner only', async () => {
  const asked: string[] = [];
  const api = await listen((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const taken = asked.length === 1;
    response
      .writeHead(taken ? 409 : 201, { 'content-type': 'application/json' })
      .end(taken ? '{}' : '{"apiKey":"key-2"}');
  });
  const file = join(folder, 'agent/agent.json');
  expect(await enrol(api, 'op', file)).toBe('key-2');
  expect(await enrol(api, 'op', file)).toBe('key-2');
  expect(asked).toEqual(['POST /api/v1/tenants Bearer op', 'POST /api/v1/tenants/this-machine/api-keys Bearer op']);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  writeFileSync(file, 'x');
  await expect(enrol(api, 'op', file)).rejects.toMatchObject({ code: 'agent.state_invalid' });
});
