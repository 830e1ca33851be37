import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MeasuredPoint, Pulse } from '@dotmac/pulse-sdk';
import type { SnmpConfig } from './device.ts';
import { readInterfaces } from './if-mib.ts';
import { type Neighbour, readNeighbours } from './neighbours.ts';
import { withDevice } from './net-snmp-reader.ts';
import { pollDevices } from './poller.ts';
import { loadStates, saveStates } from './state-file.ts';

/** A whole poll of a device, all tables and tries together. */
const POLL_MS_MAX = 30_000;
/** A list longer than this is cut; the record says how long it was. */
const NEIGHBOURS_MAX = 1_000;

/** Polls the devices by net-snmp and gives what they say to the connection. Ends when stopped. */
export function startPolling(
  config: SnmpConfig,
  to: {
    readonly logger: ReturnType<Pulse['logger']>;
    readonly addPoints: (points: readonly MeasuredPoint[]) => void;
    readonly onEvent: (event: { readonly level: 'info' | 'warn'; readonly message: string }) => void;
    /** Where counters are kept across restarts; they begin anew without it. */
    readonly stateDir: string | undefined;
  },
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const file = to.stateDir === undefined ? undefined : join(to.stateDir, 'snmp-counters.json');

  const run = async () => {
    const initial = file === undefined ? undefined : await loadStates(file);
    const { states, done } = pollDevices(
      config,
      {
        read: (device) => withDevice(device, POLL_MS_MAX, (reader) => readInterfaces(reader, Date.now)),
        readNeighbours: (device) => withDevice(device, POLL_MS_MAX, readNeighbours),
        now: Date.now,
        sleep: (ms, until) => sleep(ms, undefined, { signal: until }).catch(() => undefined),
        addPoints: to.addPoints,
        neighboursKnown: (device, neighbours) => emitNeighbours(to.logger, device, neighbours),
        onEvent: to.onEvent,
      },
      signal,
      initial,
    );
    const keep = async () => {
      if (file === undefined || states.size === 0) return;
      await saveStates(file, states).catch((error: unknown) =>
        to.onEvent({ level: 'warn', message: `${file} not written: ${String(error)}` }),
      );
    };
    while (!signal.aborted) {
      await sleep(config.intervalMs, undefined, { signal }).catch(() => undefined);
      await keep();
    }
    await done;
    await keep();
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function emitNeighbours(logger: ReturnType<Pulse['logger']>, device: string, neighbours: readonly Neighbour[]): void {
  logger.emit({
    eventName: 'dotmac.network.neighbours',
    severityText: 'INFO',
    severityNumber: 9,
    body: JSON.stringify(neighbours.slice(0, NEIGHBOURS_MAX)),
    attributes: {
      'event.name': 'dotmac.network.neighbours',
      'dotmac.device': device,
      'dotmac.network.neighbours.count': neighbours.length,
    },
  });
}
