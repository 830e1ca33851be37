import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MeasuredPoint } from '@dotmac/pulse-sdk';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KubeletConfig, readSummary } from './kubelet-client.ts';
import { startKubelet } from './start-kubelet.ts';
import { Summary } from './summary.ts';
import { toPoints } from './summary-points.ts';

const fixture = readFileSync(join(import.meta.dirname, 'fixtures/summary.json'), 'utf8');
const T = Date.parse('2026-11-21T10:00:07Z');
const plain = (points: readonly MeasuredPoint[]) =>
  points.map(({ metric, value, attributes, startMs, atMs }) => ({
    name: metric.name,
    value,
    of: attributes['k8s.container.name'] ?? attributes['k8s.pod.name'] ?? attributes['k8s.node.name'],
    detail: attributes['network.io.direction'] ?? attributes['container.filesystem'] ?? attributes['k8s.volume.name'],
    startMs,
    atMs,
  }));
const at = (time: string) => Date.parse(`2026-11-21T${time}Z`);

it('one namespace: its containers, pods and volumes, each at the time the kubelet took it, nothing of other tenants or the node', () => {
  const points = toPoints(Summary.parse(JSON.parse(fixture)), T, new Set(['isp-alpha']));
  expect(points.every((point) => point.attributes['k8s.namespace.name'] === 'isp-alpha')).toBe(true);
  const shown = plain(points);
  expect(shown).toContainEqual({
    name: 'container.cpu.time',
    value: 450.123456789,
    of: 'api',
    detail: undefined,
    startMs: at('09:30:10'),
    atMs: at('10:00:01'),
  });
  const values = shown.map(({ name, of, detail, value }) =>
    [name, of, detail, value].filter((one) => one !== undefined),
  );
  expect(values).toEqual([
    ['k8s.pod.network.io', 'isp-alpha-api-0', 'receive', 123456],
    ['k8s.pod.network.io', 'isp-alpha-api-0', 'transmit', 654321],
    ['k8s.pod.network.errors', 'isp-alpha-api-0', 'receive', 2],
    ['k8s.pod.network.errors', 'isp-alpha-api-0', 'transmit', 0],
    ['k8s.volume.capacity', 'isp-alpha-api-0', 'data', 5e9],
    ['k8s.volume.available', 'isp-alpha-api-0', 'data', 4e9],
    ['container.cpu.usage', 'api', 0.25],
    ['container.cpu.time', 'api', 450.123456789],
    ['container.memory.usage', 'api', 230e6],
    ['container.memory.working_set', 'api', 200e6],
    ['container.memory.rss', 'api', 150e6],
    ['container.memory.available', 'api', 300e6],
    ['container.filesystem.usage', 'api', 'rootfs', 1e6],
    ['container.filesystem.capacity', 'api', 'rootfs', 1e11],
    ['container.filesystem.available', 'api', 'rootfs', 7e10],
    ['container.filesystem.usage', 'api', 'logs', 20000],
    ['container.filesystem.capacity', 'api', 'logs', 1e11],
    ['container.filesystem.available', 'api', 'logs', 7e10],
  ]);
});

it('all namespaces: the node too, each of its interfaces once', () => {
  const shown = plain(toPoints(Summary.parse(JSON.parse(fixture)), T, null));
  expect(new Set(shown.map((one) => one.of))).toEqual(new Set(['node-a', 'isp-alpha-api-0', 'api']));
  expect(shown.filter((one) => one.name === 'k8s.node.network.io').map((one) => one.value)).toEqual([
    7000, 6000, 500, 400,
  ]);
  expect(shown.find((one) => one.name === 'k8s.node.cpu.time')).toMatchObject({ value: 93600.5, atMs: at('10:00:06') });
});

let folder: string;
let server: Server;
let config: KubeletConfig;
let answer: { status: number; body: string };
let authorization: string | undefined;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pulse-kubelet-'));
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'node-a' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'node-a' }] }],
  });
  writeFileSync(join(folder, 'ca.crt'), cert);
  writeFileSync(join(folder, 'token'), 'first-token\n');
  server = createServer({ cert, key }, (request, response) => {
    authorization = request.headers.authorization;
    response.writeHead(request.url === '/stats/summary' ? answer.status : 404).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  config = KubeletConfig.parse({
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serverName: 'node-a',
    tokenFile: join(folder, 'token'),
    caFile: join(folder, 'ca.crt'),
    namespaces: ['isp-alpha'],
    timeoutMs: 2_000,
    intervalMs: 1_000,
  });
});
afterAll(() => {
  server?.closeAllConnections();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

it('asks over HTTPS with the token that stands in the file at that moment', async () => {
  answer = { status: 200, body: fixture };
  expect((await readSummary(config)).pods).toHaveLength(2);
  expect(authorization).toBe('Bearer first-token');
  writeFileSync(join(folder, 'token'), 'second-token');
  await readSummary(config);
  expect(authorization).toBe('Bearer second-token');
});

it('an answer that is none, a refusal, a wrong name and a foreign CA are told apart', async () => {
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'none',
      (error: { code?: string }) => error.code,
    );
  answer = { status: 403, body: 'Forbidden' };
  expect(await code(readSummary(config))).toBe('agent.kubelet_refused');
  answer = { status: 500, body: '' };
  expect(await code(readSummary(config))).toBe('agent.kubelet_answer');
  answer = { status: 200, body: '{"node":' };
  expect(await code(readSummary(config))).toBe('agent.kubelet_answer');
  answer = { status: 200, body: fixture.replace('"usageNanoCores": 250000000', '"usageNanoCores": -1') };
  expect(await code(readSummary(config))).toBe('agent.kubelet_answer');
  answer = { status: 200, body: fixture };
  expect(await code(readSummary({ ...config, serverName: 'node-b' }))).toBe('agent.kubelet_unreachable');
  const other = await generate([{ name: 'commonName', value: 'node-a' }]);
  writeFileSync(join(folder, 'other.crt'), other.cert);
  expect(await code(readSummary({ ...config, caFile: join(folder, 'other.crt') }))).toBe('agent.kubelet_unreachable');
  expect(await code(readSummary({ ...config, tokenFile: join(folder, 'none') }))).toBe('agent.kubelet_unreachable');
});

it('goes on after a failure, and says once that it failed and once that it works', async () => {
  answer = { status: 503, body: '' };
  const events: string[] = [];
  const batches: (readonly MeasuredPoint[])[] = [];
  const running = startKubelet(
    { ...config, intervalMs: 20 },
    { addPoints: (points) => void batches.push(points), onEvent: ({ message }) => void events.push(message) },
  );
  const wait = async (done: () => boolean) => {
    const deadline = Date.now() + 5_000;
    while (!done() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(done()).toBe(true);
  };
  await wait(() => events.length === 1);
  answer = { status: 200, body: fixture };
  await wait(() => batches.length >= 2);
  await running.stop();
  expect(events).toEqual([expect.stringContaining('status 503'), 'the kubelet answers again']);
  expect(batches[0]).toHaveLength(18);
});
