import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Agent, createAgent, parseSnmpConfig } from '../../collectors/agent/index.ts';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';

const run = promisify(execFile);
const script = join(import.meta.dirname, 'snmpd.sh');
const dir = mkdtempSync(join(tmpdir(), 'pulse-snmpd-'));
const v3 = {
  version: '3',
  user: 'pulse',
  auth: { protocol: 'sha256', key: 'authpass123' },
  priv: { protocol: 'aes', key: 'privpass123' },
};
const v2c = { version: '2c', community: 'public' };
let port: number;
let pulse: PulseProcess;
const agents: Agent[] = [];
const events: string[] = [];

beforeAll(async () => {
  await run('bash', [script, 'install'], { maxBuffer: 64 * 1024 * 1024 });
  port = await startSnmpd();
  pulse = await startPulse();
});
afterAll(async () => {
  for (const agent of agents) await agent.stop().catch(() => undefined);
  await run('bash', [script, 'stop', dir]);
  rmSync(dir, { recursive: true, force: true });
  await pulse?.stop();
  if (pulse !== undefined) rmSync(pulse.dataDir, { recursive: true, force: true });
});

/** A second start takes the port and the engine id of the first. */
async function startSnmpd(): Promise<number> {
  const { stdout } = await run('bash', [script, 'start', dir, ...(port === undefined ? [] : [`${port}`])]);
  return Number(stdout.trim().split(':')[1]);
}

/** An agent of a tenant of its own that asks this snmpd each second. */
async function poll(id: string, devices: readonly object[], stateDir?: string): Promise<string> {
  const key = await createTenant(pulse, { id });
  const named = devices.map((device, index) => ({
    name: `device-${index}`,
    host: '127.0.0.1',
    port,
    timeoutMs: 300,
    retries: 0,
    ...device,
  }));
  agents.push(
    createAgent({
      endpoint: pulse.otlpHttp,
      apiKey: key,
      tenantId: id,
      targets: [],
      intervalMs: 1_000,
      snmp: parseSnmpConfig({ devices: named, intervalMs: 1_000, neighboursEveryMs: 1_000 }),
      ...(stateDir === undefined ? {} : { stateDir }),
      onEvent: ({ message }) => events.push(message),
    }),
  );
  return key;
}

interface Range {
  readonly series: readonly {
    readonly attributes: Record<string, string>;
    readonly points: readonly [number, number][];
  }[];
}
async function range(key: string, metric: string, aggregate: string, groupBy: string, filter = ''): Promise<Range> {
  const at = (ms: number) => new Date(ms).toISOString();
  const query = `metric=${metric}&start=${at(Date.now() - 300_000)}&end=${at(Date.now() + 300_000)}&step=10m&aggregate=${aggregate}&groupBy=${groupBy}${filter}`;
  const { status, body } = await call<Range & Record<string, unknown>>(
    pulse,
    `/api/v1/telemetry/metrics/range?${query}`,
    { token: key },
  );
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
}
const latest = ({ series }: Range, name: string, value: string) =>
  series.find(({ attributes }) => attributes[name] === value)?.points.at(-1)?.[1];

/** Bytes over loopback, which the kernel counts on `lo` in both directions. */
async function moveBytes(bytes: number): Promise<void> {
  const server = createServer((_, response) => response.end(Buffer.alloc(bytes, 1)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)).arrayBuffer();
  server.closeAllConnections();
  server.close();
}
const loReceived = () => Number(/^\s*lo:\s*(\d+)/m.exec(readFileSync('/proc/net/dev', 'utf8'))?.[1]);

test.for([
  ['v2c', v2c],
  ['v3 authPriv', v3],
] as const)('%s: what the kernel counts on lo is what Pulse says it carried', async ([name, credentials]) => {
  const key = await poll(`isp-${name.slice(0, 2)}`, [credentials]);
  const io = () =>
    range(
      key,
      'dotmac.network.interface.io',
      'increase',
      'dotmac.device,network.interface.name,network.io.direction',
      '&filter=dotmac.device=device-0',
    );
  await until(io, ({ series }) => series.some(({ attributes }) => attributes['network.interface.name'] === 'lo'));
  const before = loReceived();
  await moveBytes(40_000_000);
  const carried = (answer: Range) =>
    answer.series
      .find(
        ({ attributes }) =>
          attributes['network.interface.name'] === 'lo' && attributes['network.io.direction'] === 'receive',
      )
      ?.points.at(-1)?.[1] ?? 0;
  // snmpd reads the kernel's counters every few seconds
  const answer = await until(io, (seen) => carried(seen) >= 40_000_000, 60);
  // the kernel goes on: polling and Pulse itself use loopback too
  expect(carried(answer)).toBeLessThanOrEqual(loReceived() - before + 10_000_000);
  expect(
    latest(await range(key, 'dotmac.network.device.up', 'min', 'dotmac.device'), 'dotmac.device', 'device-0'),
  ).toBe(1);
  const status = await range(key, 'dotmac.network.interface.up', 'max', 'network.interface.name');
  expect(latest(status, 'network.interface.name', 'lo')).toBe(1);
});

test('a wrong community, a wrong key and an unknown user are devices that are down; the good one beside them is up', async () => {
  const key = await poll('isp-wrong', [
    v2c,
    { ...v2c, community: 'guess' },
    { ...v3, auth: { protocol: 'sha256', key: 'authpass12x' } },
    { ...v3, user: 'nobody' },
    { ...v2c, port: 9 },
  ]);
  const up = () => range(key, 'dotmac.network.device.up', 'max', 'dotmac.device');
  const answer = await until(up, ({ series }) => series.length === 5);
  const seen = Object.fromEntries(
    answer.series.map(({ attributes, points }) => [attributes['dotmac.device'], points.at(-1)?.[1]]),
  );
  expect(seen).toEqual({ 'device-0': 1, 'device-1': 0, 'device-2': 0, 'device-3': 0, 'device-4': 0 });
  expect(events.some((event) => event.includes('device-2') && event.includes('agent.snmp_refused'))).toBe(true);
  expect(events.some((event) => event.includes('device-3') && event.includes('agent.snmp_refused'))).toBe(true);
});

test.for([
  ['v2c', v2c],
  ['v3', v3],
] as const)(
  '%s: snmpd restarted: its uptime begins again, the kernel’s counters go on, nothing is billed twice',
  async ([name, credentials]) => {
    const key = await poll(`isp-restart-${name}`, [credentials]);
    const io = async () =>
      latest(
        await range(
          key,
          'dotmac.network.interface.io',
          'increase',
          'dotmac.device,network.interface.name',
          '&filter=dotmac.device=device-0&filter=network.io.direction=receive',
        ),
        'network.interface.name',
        'lo',
      ) ?? 0;
    const uptime = async () =>
      latest(await range(key, 'dotmac.network.device.uptime', 'min', 'dotmac.device'), 'dotmac.device', 'device-0');
    await until(uptime, (seen) => seen !== undefined);
    await sleep(3_000);
    const began = loReceived();
    const billedBefore = await io();
    await run('bash', [script, 'stop', dir]);
    await sleep(2_000);
    await startSnmpd();
    await until(
      async () => events.filter((event) => event.includes('device-0 lo: counter restarted')).length,
      (seen) => seen > 0,
      30,
    );
    await moveBytes(20_000_000);
    const billed = await until(io, (seen) => seen >= billedBefore + 20_000_000, 60);
    // raw counters of a machine that is up for hours are far above what was carried here: none of it is billed
    expect(billed - billedBefore).toBeLessThanOrEqual(loReceived() - began + 10_000_000);
    events.length = 0;
  },
);

test('the neighbour list is a log record that can be read back', async () => {
  const key = await poll('isp-topology', [v2c]);
  const at = (ms: number) => new Date(ms).toISOString();
  const logs = () =>
    call<{ items: { body: string; attributes: Record<string, string> }[] }>(
      pulse,
      `/api/v1/telemetry/logs?start=${at(Date.now() - 300_000)}&end=${at(Date.now() + 60_000)}`,
      { token: key },
    );
  const { body } = await until(logs, (seen) => (seen.body.items?.length ?? 0) > 0);
  const [record] = body.items;
  expect(record?.attributes).toMatchObject({ 'dotmac.device': 'device-0', 'event.name': 'dotmac.network.neighbours' });
  const list = JSON.parse(record?.body ?? '') as { source: string }[];
  expect(Array.isArray(list)).toBe(true);
  // what the kernel's ARP cache holds, which is nothing on a machine without a network
  expect(list.every((one) => one.source === 'arp')).toBe(true);
});
