import type { MeasuredMetric, MeasuredPoint } from '@dotmac/pulse-sdk';
import { advanceCounter, type CounterChange, type CounterState, hasRestarted } from './counter.ts';
import type { DeviceReading, InterfaceReading, RawCounter } from './if-mib.ts';

/** What is kept of a device between readings. */
export interface DeviceState {
  readonly upTimeTicks: number;
  readonly atMs: number;
  /** Counts the device's runs. */
  readonly epoch: number;
  /** By interface name, counter and direction. */
  readonly counters: ReadonlyMap<string, CounterState>;
}

const gauge = (name: string, unit: string): MeasuredMetric => ({ name, unit, kind: 'gauge', valueType: 'integer' });
const sum = (name: string, unit: string): MeasuredMetric => ({ name, unit, kind: 'counter', valueType: 'integer' });

/** The metrics of devices. */
export const deviceMetrics = {
  up: gauge('dotmac.network.device.up', '1'),
  upTime: gauge('dotmac.network.device.uptime', 's'),
  io: sum('dotmac.network.interface.io', 'By'),
  errors: sum('dotmac.network.interface.errors', '{error}'),
  discards: sum('dotmac.network.interface.dropped', '{packet}'),
  speed: gauge('dotmac.network.interface.speed', 'bit/s'),
  interfaceUp: gauge('dotmac.network.interface.up', '1'),
} as const;

/** An interface gone longer than this is forgotten; one that comes back later begins anew. */
const FORGET_MS = 24 * 3_600_000;

/** A change worth telling a person. */
export interface CounterEvent {
  readonly interfaceName: string;
  readonly change: Exclude<CounterChange, 'first' | 'continued'>;
}

/**
 * Takes a reading in: the state to keep and the points to send.
 *
 * *Shape* one `dotmac.network.device.up` = 1, and for each interface its counters, speed and status, all at the reading's time.
 */
export function takeReading(
  device: string,
  previous: DeviceState | undefined,
  reading: DeviceReading,
): {
  readonly state: DeviceState;
  readonly points: readonly MeasuredPoint[];
  readonly events: readonly CounterEvent[];
} {
  const { atMs } = reading;
  const restarted = previous !== undefined && hasRestarted(previous, reading);
  const epoch = (previous?.epoch ?? 0) + (restarted ? 1 : 0);
  const counters = new Map<string, CounterState>();
  for (const [key, state] of previous?.counters ?? []) {
    if (atMs - state.atMs <= FORGET_MS) counters.set(key, state);
  }
  const points: MeasuredPoint[] = [];
  const events = new Map<string, CounterEvent>();
  const show = (metric: MeasuredMetric, value: number, attributes: Readonly<Record<string, string>>, startMs = atMs) =>
    points.push({ metric, value, attributes: { 'dotmac.device': device, ...attributes }, startMs, atMs });

  show(deviceMetrics.up, 1, {});
  show(deviceMetrics.upTime, Math.floor(reading.upTimeTicks / 100), {});
  const bootMs = atMs - reading.upTimeTicks * 10;
  for (const one of reading.interfaces) {
    const count = (metric: MeasuredMetric, direction: 'receive' | 'transmit', raw: RawCounter | undefined) => {
      if (raw === undefined) return;
      const key = `${one.name}\u0000${metric.name}\u0000${direction}`;
      const perSecondMax = metric === deviceMetrics.io && one.bitsPerSecond !== null ? one.bitsPerSecond / 8 : null;
      const { discontinuity } = one;
      const { state, change } = advanceCounter(counters.get(key), {
        ...raw,
        atMs,
        epoch,
        bootMs,
        discontinuity,
        perSecondMax,
      });
      counters.set(key, state);
      if (change !== 'first' && change !== 'continued') {
        events.set(`${one.name}\u0000${change}`, { interfaceName: one.name, change });
      }
      const attributes = { 'network.interface.name': one.name, 'network.io.direction': direction };
      show(metric, Number(state.total), attributes, state.startMs);
    };
    for (const direction of ['receive', 'transmit'] as const) {
      count(deviceMetrics.io, direction, one.octets[direction]);
      count(deviceMetrics.errors, direction, one.errors[direction]);
      count(deviceMetrics.discards, direction, one.discards[direction]);
    }
    showStatus(one, show);
  }
  return { state: { upTimeTicks: reading.upTimeTicks, atMs, epoch, counters }, points, events: [...events.values()] };
}

/** The alias, which people edit, stands on the status only: on the counters each edit would begin new series. */
function showStatus(
  one: InterfaceReading,
  show: (metric: MeasuredMetric, value: number, attributes: Readonly<Record<string, string>>) => void,
): void {
  const name = { 'network.interface.name': one.name };
  if (one.bitsPerSecond !== null) show(deviceMetrics.speed, one.bitsPerSecond, name);
  show(deviceMetrics.interfaceUp, one.operStatus === 'up' ? 1 : 0, {
    ...name,
    state: one.operStatus,
    'admin.state': one.adminUp ? 'up' : 'down',
    ...(one.alias === '' ? {} : { alias: one.alias }),
  });
}

/** What is known when a device did not answer: only that. */
export function unansweredPoints(device: string, atMs: number): readonly MeasuredPoint[] {
  return [{ metric: deviceMetrics.up, value: 0, attributes: { 'dotmac.device': device }, startMs: atMs, atMs }];
}
