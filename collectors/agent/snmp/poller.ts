import type { MeasuredPoint } from '@dotmac/pulse-sdk';
import { AppError } from 'streams/contract';
import type { SnmpConfig, SnmpDevice } from './device.ts';
import { type DeviceState, takeReading, unansweredPoints } from './device-state.ts';
import type { DeviceReading } from './if-mib.ts';
import { compareNeighbours, type Neighbour } from './neighbours.ts';

/** What the poller needs of the world. */
export interface PollerPorts {
  read(device: SnmpDevice): Promise<DeviceReading>;
  readNeighbours(device: SnmpDevice): Promise<readonly Neighbour[]>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Ends early, without rejecting, when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  addPoints(points: readonly MeasuredPoint[]): void;
  /** The whole list, when it changed, when it is first known, and once an hour. */
  neighboursKnown(device: string, neighbours: readonly Neighbour[]): void;
  onEvent(event: { readonly level: 'info' | 'warn'; readonly message: string }): void;
}

/** Longer than this a silent device is not left alone: a minute counts as measured when points are at most 5 minutes apart. */
const BACK_OFF_MAX_MS = 240_000;
const REPEAT_NEIGHBOURS_MS = 3_600_000;

/**
 * Asks every device on its own clock until `signal` is aborted.
 *
 * *Shape* devices that did not answer last time wait ever longer (to 4 minutes) and have slots of their own, so that they never hold up the others;
 * `initial` are states of an earlier run, and the map handed back is kept up to date.
 */
export function pollDevices(
  config: SnmpConfig,
  ports: PollerPorts,
  signal: AbortSignal,
  initial: ReadonlyMap<string, DeviceState> = new Map(),
): { readonly states: ReadonlyMap<string, DeviceState>; readonly done: Promise<void> } {
  const states = new Map(initial);
  const healthy = createSlots(config.concurrency);
  const silent = createSlots(Math.max(1, Math.ceil(config.concurrency / 4)));
  const done = Promise.all(
    config.devices.map(async (device, index) => {
      // spread over the interval, or all answers come at one moment
      await ports.sleep(Math.floor((config.intervalMs * index) / config.devices.length), signal);
      const poll = createDevicePoll(device, config, ports, states);
      let failures = 0;
      while (!signal.aborted) {
        const started = ports.now();
        const slots = failures === 0 ? healthy : silent;
        failures = (await slots(() => poll())) ? 0 : failures + 1;
        if (signal.aborted) return;
        await ports.sleep(Math.max(pauseMs(config.intervalMs, failures) - (ports.now() - started), 0), signal);
      }
    }),
  ).then(() => undefined);
  return { states, done };
}

/** From one beginning to the next: the interval, doubled with each failure in a row. */
export function pauseMs(intervalMs: number, failures: number): number {
  return Math.max(intervalMs, Math.min(intervalMs * 2 ** Math.max(failures - 1, 0), BACK_OFF_MAX_MS));
}

function createDevicePoll(
  device: SnmpDevice,
  config: SnmpConfig,
  ports: PollerPorts,
  states: Map<string, DeviceState>,
): () => Promise<boolean> {
  let answered: boolean | undefined;
  let neighbours:
    | { readonly list: readonly Neighbour[]; readonly askedAt: number; readonly saidAt: number }
    | undefined;

  const askNeighbours = async () => {
    const at = ports.now();
    if (neighbours !== undefined && at - neighbours.askedAt < config.neighboursEveryMs) return;
    const list = await ports.readNeighbours(device);
    const { added, removed } = compareNeighbours(neighbours?.list ?? [], list);
    const changed = neighbours === undefined || added.length > 0 || removed.length > 0;
    const said = changed || at - (neighbours?.saidAt ?? 0) >= REPEAT_NEIGHBOURS_MS;
    if (said) ports.neighboursKnown(device.name, list);
    neighbours = { list, askedAt: at, saidAt: said ? at : (neighbours?.saidAt ?? at) };
  };

  return async () => {
    try {
      const reading = await ports.read(device);
      const { state, points, events } = takeReading(device.name, states.get(device.name), reading);
      states.set(device.name, state);
      ports.addPoints(points);
      for (const { interfaceName, change } of events) {
        ports.onEvent({ level: 'info', message: `${device.name} ${interfaceName}: counter ${change}` });
      }
      if (answered === false) ports.onEvent({ level: 'info', message: `${device.name} answers again` });
      answered = true;
    } catch (error) {
      ports.addPoints(unansweredPoints(device.name, ports.now()));
      if (answered !== false)
        ports.onEvent({ level: 'warn', message: `${device.name} does not answer: ${reasonOf(error)}` });
      answered = false;
      return false;
    }
    try {
      await askNeighbours();
    } catch (error) {
      // the device is up: a list that cannot be read is no reason to call it down
      ports.onEvent({ level: 'warn', message: `${device.name}: neighbours not read: ${reasonOf(error)}` });
    }
    return true;
  };
}

function reasonOf(error: unknown): string {
  return error instanceof AppError ? `${error.code}: ${error.message}` : String(error);
}

/** At most `size` at once, the others in the order of their coming. */
function createSlots(size: number): <Answer>(work: () => Promise<Answer>) => Promise<Answer> {
  let free = size;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
