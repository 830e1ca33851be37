import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { MeasuredPoint } from '@dotmac/pulse-sdk';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DecodedMetric, decodeMetrics, plain } from '../../fleet/otlp-proto.fixture.ts';
import { createAgent } from '../agent.ts';
import { parseSnmpConfig } from './device.ts';
import { startPolling } from './start-polling.ts';
import { counter64, type Shown, startFakeDevice } from './testing/fake-device.ts';

type Device = Awaited<ReturnType<typeof startFakeDevice>>;
let device: Device;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pulse-snmp-'));
  device = await startFakeDevice();
});
afterEach(() => {
  device.stop();
  rmSync(folder, { recursive: true, force: true });
});

const config = (more: readonly object[] = []) => ({
  ...parseSnmpConfig({
    devices: [
      { name: 'core-1', host: '127.0.0.1', port: device.port, version: '2c', community: 'public', timeoutMs: 500 },
      ...more,
    ],
  }),
  // faster than the settings allow
  intervalMs: 40,
  neighboursEveryMs: 80,
});
const wait = async (done: () => boolean, what: string) => {
  const deadline = Date.now() + 8_000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`not within 8 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** Polls until stopped; `next` waits for a reading that began after it was called. */
function poll(settings: ReturnType<typeof config>) {
  const points: MeasuredPoint[] = [];
  const events: string[] = [];
  const records: { eventName?: string; body?: unknown; attributes?: Record<string, unknown> }[] = [];
  const running = startPolling(settings, {
    logger: { emit: (record: object) => void records.push(record), enabled: () => true } as Parameters<
      typeof startPolling
    >[1]['logger'],
    addPoints: (more) => void points.push(...more),
    onEvent: ({ message }) => void events.push(message),
    stateDir: folder,
  });
  const next = async () => {
    const before = points.length;
    await wait(
      () => points.slice(before).filter((one) => one.metric.name === 'dotmac.network.device.uptime').length >= 2,
      'two readings',
    );
  };
  const latest = (name: string, direction = 'receive') =>
    points.findLast(
      (one) =>
        one.metric.name === 'dotmac.network.interface.io' &&
        one.attributes['network.interface.name'] === name &&
        one.attributes['network.io.direction'] === direction,
    );
  return { points, events, records, next, latest, stop: () => running.stop() };
}

/** A device that runs since `bootMs`, with its ports as `[index, name, octets]`. */
const shown = (bootMs: number, ports: readonly (readonly [number, string, bigint])[], bits: 32 | 64): Shown => ({
  upTimeTicks: Math.floor((Date.now() - bootMs) / 10),
  ifTable: Object.fromEntries(
    ports.map(([index, name, octets]) => [`${index}`, { 2: name, 8: 1, 10: Number(octets % 2n ** 32n), 16: 0 }]),
  ),
  ifXTable: Object.fromEntries(
    ports.map(([index, name, octets]) => [
      `${index}`,
      { 1: name, 15: 1000, ...(bits === 64 ? { 6: counter64(octets), 10: counter64(0n) } : {}) },
    ]),
  ),
});

it('32-bit counters across a wrap, 64-bit ones of every length, over real packets', async () => {
  const bootMs = Date.now() - 3_600_000;
  device.show(shown(bootMs, [[1, 'ge-0', 2n ** 32n - 1_000n]], 32));
  const { next, latest, events, stop } = poll(config());
  await next();
  device.show(shown(bootMs, [[1, 'ge-0', 2n ** 32n + 500n]], 32));
  await next();
  expect(latest('ge-0')?.value).toBe(1_500);
  expect(events).toEqual(['core-1 ge-0: counter wrapped']);
  // the device learns 64 bits: another counter, which begins anew
  let value = 1n;
  for (const bits of [1n, 7n, 8n, 15n, 31n, 32n, 40n, 53n, 62n]) {
    value = 2n ** bits - 1n;
    device.show(shown(bootMs, [[1, 'ge-0', value]], 64));
    await next();
  }
  await stop();
  // from 2^53 - 1 to 2^62 - 1 is more than a number holds: a new start with what it was before is shown as none
  expect(latest('ge-0')?.value).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
  expect(events.filter((event) => event.includes('wrapped'))).toHaveLength(1);
});

it('ports keep their series when a line card renumbers them', async () => {
  const bootMs = Date.now() - 3_600_000;
  device.show(
    shown(
      bootMs,
      [
        [1, 'ge-0', 1_000n],
        [2, 'ge-1', 9_000n],
      ],
      64,
    ),
  );
  const { next, latest, events, stop } = poll(config());
  await next();
  device.show(
    shown(
      bootMs,
      [
        [1, 'ge-1', 9_070n],
        [2, 'xe-9', 5n],
        [3, 'ge-0', 1_030n],
      ],
      64,
    ),
  );
  await next();
  await stop();
  expect(['ge-0', 'ge-1', 'xe-9'].map((name) => latest(name)?.value)).toEqual([30, 70, 0]);
  expect(events).toEqual([]);
});

it('a device that restarts counts on with a new start time, also when the agent restarts meanwhile', async () => {
  const bootMs = Date.now() - 3_600_000;
  device.show(shown(bootMs, [[1, 'ge-0', 1_000_000n]], 64));
  const first = poll(config());
  await first.next();
  device.show(shown(bootMs, [[1, 'ge-0', 1_000_600n]], 64));
  await first.next();
  const before = first.latest('ge-0');
  await first.stop();
  expect(before?.value).toBe(600);
  expect(statSync(join(folder, 'snmp-counters.json')).mode & 0o777).toBe(0o600);
  // traffic while nobody looks, then the agent is back: the series goes on
  device.show(shown(bootMs, [[1, 'ge-0', 1_000_900n]], 64));
  const second = poll(config());
  await second.next();
  expect(second.latest('ge-0')).toMatchObject({ value: 900, startMs: before?.startMs });
  device.show(shown(Date.now() - 20, [[1, 'ge-0', 77n]], 64));
  await second.next();
  await second.stop();
  expect(second.latest('ge-0')?.value).toBe(77);
  expect(second.latest('ge-0')?.startMs).toBeGreaterThan(before?.atMs ?? Number.POSITIVE_INFINITY);
  expect(second.events).toEqual(['core-1 ge-0: counter restarted']);
  // a file that cannot be read is as none
  writeFileSync(join(folder, 'snmp-counters.json'), '{"core-1": 5}');
  const third = poll(config());
  await third.next();
  await third.stop();
  expect(third.latest('ge-0')?.value).toBe(0);
  expect(JSON.parse(readFileSync(join(folder, 'snmp-counters.json'), 'utf8'))).toHaveProperty('core-1.counters');
});

it('LLDP neighbours are a record when they change, a wrong community is a device that is down and holds up nobody', async () => {
  const bootMs = Date.now() - 3_600_000;
  const neighbour = (name: string) => ({ 4: 4, 5: Buffer.from('001b21aabbcc', 'hex'), 6: 5, 7: 'xe-0/0/1', 9: name });
  const lldpLocPortTable = { 3: { 2: 5, 3: 'ge-0', 4: 'uplink' } };
  device.show({
    ...shown(bootMs, [[1, 'ge-0', 1n]], 64),
    lldpLocPortTable,
    lldpRemTable: { '10.3.1': neighbour('edge-1') },
  });
  const stranger = {
    name: 'stranger',
    host: '127.0.0.1',
    port: device.port,
    version: '2c',
    community: 'guess',
    timeoutMs: 50,
    retries: 0,
  };
  const { next, records, points, events, stop } = poll(config([stranger]));
  await wait(() => records.length === 1, 'first list');
  // a new time mark of the same neighbour is no change
  device.show({
    ...shown(bootMs, [[1, 'ge-0', 1n]], 64),
    lldpLocPortTable,
    lldpRemTable: { '99.3.1': neighbour('edge-1') },
  });
  for (let turn = 0; turn < 3; turn += 1) await next();
  expect(records).toHaveLength(1);
  device.show({
    ...shown(bootMs, [[1, 'ge-0', 1n]], 64),
    lldpLocPortTable,
    lldpRemTable: { '99.3.1': neighbour('edge-2') },
  });
  await wait(() => records.length === 2, 'second list');
  await stop();
  expect(records[1]).toMatchObject({
    eventName: 'dotmac.network.neighbours',
    attributes: { 'dotmac.device': 'core-1', 'dotmac.network.neighbours.count': 1 },
    body: JSON.stringify([
      { source: 'lldp', localInterface: 'ge-0', id: '00:1b:21:aa:bb:cc', port: 'xe-0/0/1', name: 'edge-2' },
    ]),
  });
  const up = (name: string) =>
    new Set(
      points
        .filter((one) => one.metric.name === 'dotmac.network.device.up' && one.attributes['dotmac.device'] === name)
        .map((one) => one.value),
    );
  expect([up('core-1'), up('stranger')]).toEqual([new Set([1]), new Set([0])]);
  expect(events).toEqual([expect.stringContaining('stranger does not answer: agent.snmp_timeout')]);
});

it('on the wire: a cumulative monotonic sum with the start time of the counter, at the time of the reading', async () => {
  const received: DecodedMetric[] = [];
  const sink: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (request.url === '/v1/metrics') received.push(...decodeMetrics(gunzipSync(Buffer.concat(parts))).metrics);
      response.end();
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const bootMs = Date.now() - 3_600_000;
  device.show(shown(bootMs, [[1, 'ge-0', 5n]], 64));
  const agent = createAgent({
    endpoint: `http://127.0.0.1:${(sink.address() as AddressInfo).port}`,
    apiKey: 'k',
    tenantId: 'isp-one',
    targets: [],
    intervalMs: 60_000,
    snmp: config(),
  });
  const io = () =>
    received
      .filter((metric) => metric.name === 'dotmac.network.interface.io')
      .flatMap((metric) =>
        (metric.sum?.dataPoints ?? []).map((point) => ({ ...point, sum: metric.sum, unit: metric.unit })),
      )
      .filter(
        (point) =>
          plain(point.attributes)['dotmac.device'] === 'core-1' &&
          plain(point.attributes)['network.io.direction'] === 'receive',
      );
  await wait(() => statesSeen(agent, io), 'first point');
  device.show(shown(bootMs, [[1, 'ge-0', 17n]], 64));
  await new Promise((resolve) => setTimeout(resolve, 150));
  await agent.flush();
  await agent.stop();
  sink.closeAllConnections();
  sink.close();
  const seen = io();
  const last = seen.at(-1);
  expect(last).toMatchObject({ asInt: '12', unit: 'By', sum: { aggregationTemporality: 2, isMonotonic: true } });
  expect(seen[0]).toMatchObject({ asInt: '0' });
  expect(last?.startTimeUnixNano).toBe(seen[0]?.timeUnixNano);
  expect(new Set(seen.map((point) => point.timeUnixNano)).size).toBe(seen.length);
});

/** Asks for an export until a point has come out. */
function statesSeen(agent: { flush(): Promise<void> }, io: () => readonly unknown[]): boolean {
  void agent.flush();
  return io().length > 0;
}
