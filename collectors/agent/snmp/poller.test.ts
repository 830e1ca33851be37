import type { MeasuredPoint } from '@dotmac/pulse-sdk';
import { expect, it } from 'vitest';
import { parseSnmpConfig } from './device.ts';
import type { DeviceReading } from './if-mib.ts';
import type { Neighbour } from './neighbours.ts';
import { pauseMs, pollDevices } from './poller.ts';

const config = (names: readonly string[], more = {}) =>
  parseSnmpConfig({
    devices: names.map((name) => ({ name, host: '127.0.0.1', version: '2c', community: 'c' })),
    intervalMs: 10_000,
    ...more,
  });

/** Devices under a clock that stands until somebody sleeps: time goes to the earliest waker. */
function world(read: (name: string, nowMs: number) => Promise<DeviceReading> | DeviceReading, untilMs: number) {
  let nowMs = 0;
  const stopping = new AbortController();
  let wakers: { at: number; wake: () => void }[] = [];
  const points: MeasuredPoint[] = [];
  const events: string[] = [];
  const lists: { device: string; at: number; names: string[] }[] = [];
  let neighbours: readonly Neighbour[] = [];
  const advance = async () => {
    while (!stopping.signal.aborted) {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      const next = wakers.sort((a, b) => a.at - b.at).shift();
      if (next === undefined || next.at > untilMs) {
        stopping.abort();
        for (const waker of wakers) waker.wake();
        next?.wake();
        return;
      }
      nowMs = Math.max(nowMs, next.at);
      next.wake();
    }
  };
  const sleep = (ms: number) =>
    stopping.signal.aborted
      ? Promise.resolve()
      : new Promise<void>((wake) => {
          wakers = [...wakers, { at: nowMs + ms, wake }];
        });
  return {
    points,
    events,
    lists,
    sleep,
    setNeighbours: (list: readonly Neighbour[]) => {
      neighbours = list;
    },
    ports: {
      read: async (device: { readonly name: string }) => read(device.name, nowMs),
      readNeighbours: async () => neighbours,
      now: () => nowMs,
      sleep,
      addPoints: (more: readonly MeasuredPoint[]) => void points.push(...more),
      neighboursKnown: (device: string, list: readonly Neighbour[]) =>
        void lists.push({ device, at: nowMs, names: list.map((one) => one.name) }),
      onEvent: ({ message }: { readonly message: string }) => void events.push(message),
    },
    signal: stopping.signal,
    advance,
  };
}

const reading = (nowMs: number): DeviceReading => ({ atMs: nowMs, upTimeTicks: nowMs / 10 + 1000, interfaces: [] });
const up = (points: readonly MeasuredPoint[], name: string) =>
  points
    .filter((point) => point.metric.name === 'dotmac.network.device.up' && point.attributes['dotmac.device'] === name)
    .map((point) => [point.atMs, point.value]);

it('devices that never answer hold up nobody, even when they outnumber all slots', async () => {
  const dead = Array.from({ length: 40 }, (_, index) => `dead-${index}`);
  // each takes its nine seconds of timeouts and retries
  const w: ReturnType<typeof world> = world(async (name, nowMs) => {
    if (name === 'alive') return reading(nowMs);
    await w.sleep(9_000);
    throw new Error('no answer');
  }, 300_000);
  const { done } = pollDevices(config([...dead, 'alive'], { concurrency: 4 }), w.ports, w.signal);
  await w.advance();
  await done;
  const answers = up(w.points, 'alive');
  expect(answers.every(([, value]) => value === 1)).toBe(true);
  const times = answers.map(([at]) => at ?? 0);
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  // the first round of dead ones still passes through the common slots
  expect(times.length).toBeGreaterThanOrEqual(18);
  expect(gaps.slice(1).every((gap) => gap === 10_000)).toBe(true);
});

it('a silent device is down, asked ever less often but every 4 minutes, and told of once', async () => {
  const w = world((_, nowMs) => {
    if (nowMs < 1_000_000) throw new Error('no answer');
    return reading(nowMs);
  }, 1_100_000);
  const { done, states } = pollDevices(config(['sw']), w.ports, w.signal);
  await w.advance();
  await done;
  const downs = up(w.points, 'sw').filter(([, value]) => value === 0);
  expect(downs.map(([at]) => at)).toEqual([0, 10_000, 30_000, 70_000, 150_000, 310_000, 550_000, 790_000]);
  expect(w.events).toEqual([expect.stringContaining('sw does not answer'), 'sw answers again']);
  expect(states.get('sw')?.atMs).toBeGreaterThanOrEqual(1_000_000);
  expect(pauseMs(600_000, 9)).toBe(600_000);
});

it('neighbours are told when they change and once an hour, not each time', async () => {
  const one = (name: string): Neighbour => ({ source: 'lldp', localInterface: 'ge-0', id: 'a', port: 'b', name });
  const w = world((_, nowMs) => {
    w.setNeighbours(nowMs < 2_000_000 ? [one('first')] : [one('second')]);
    return reading(nowMs);
  }, 6_000_000);
  const { done } = pollDevices(config(['sw'], { neighboursEveryMs: 300_000 }), w.ports, w.signal);
  await w.advance();
  await done;
  expect(w.lists).toEqual([
    { device: 'sw', at: 0, names: ['first'] },
    { device: 'sw', at: 2_100_000, names: ['second'] },
    { device: 'sw', at: 5_700_000, names: ['second'] },
  ]);
});

it('settings: wrong ones are named by their field, secrets never shown', () => {
  const device = { name: 'a', host: 'h', version: '3', user: 'u' };
  const refuse = (value: object, field: string) =>
    expect(() => parseSnmpConfig({ devices: [value] })).toThrow(
      expect.objectContaining({ code: 'agent.device_invalid', field }),
    );
  refuse({ ...device, priv: { protocol: 'aes', key: '12345678' } }, 'snmp.devices.0.priv');
  refuse({ ...device, auth: { protocol: 'sha256', key: 'short' } }, 'snmp.devices.0.auth.key');
  refuse({ name: 'a', host: 'h', version: '2c' }, 'snmp.devices.0.community');
  refuse({ ...device, port: 0 }, 'snmp.devices.0.port');
  expect(() => parseSnmpConfig({ devices: [device, device] })).toThrow(
    expect.objectContaining({ field: 'snmp.devices.1.name' }),
  );
  const parsed = parseSnmpConfig({ devices: [{ name: 'a', host: 'h', version: '2c', community: 'hidden' }] });
  expect(JSON.stringify(parsed)).not.toContain('hidden');
});
