import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedLog } from 'streams/log';
import { encodeOtlp } from 'streams/otlp';
import { systemClock } from 'streams/runtime';
import { createTenant, type PulseProcess, startPulse } from '../pulse-process.ts';

/** A server that only takes: door and log, without the tables, so that nothing else has its cores. */
export interface Door {
  readonly pulse: PulseProcess;
  readonly key: string;
  /** The senders' connections, kept from round to round as exporters keep theirs. */
  readonly agent: Agent;
  /** Requests that were acknowledged so far. */
  acknowledged: number;
  /** Stops it, counts the records on its log and removes its data. *Errors* when the log does not hold what was acknowledged. */
  close(): Promise<void>;
}

/** Limits must not be what is measured. */
const unlimited = {
  pointsPerSecond: 100_000_000,
  bytesPerSecond: 10_000_000_000,
  newSeriesPerSecond: 1_000_000,
  activeSeries: 10_000_000,
  concurrentRequests: 1024,
};

export async function openDoor(options: { readonly durable: boolean }): Promise<Door> {
  const dataDir = mkdtempSync(join(tmpdir(), 'pulse-door-'));
  const whole = await startPulse({ dataDir });
  const key = await createTenant(whole, { id: 'isp-door' });
  await liftLimits(whole);
  await whole.stop();
  const environment = options.durable ? {} : { NODE_OPTIONS: `--import=${join(import.meta.dirname, 'no-sync.ts')}` };
  const pulse = await startPulse({ dataDir, environment, args: ['--target=ingest'] });
  const door: Door = {
    pulse,
    key,
    agent: new Agent({ keepAlive: true }),
    acknowledged: 0,
    async close() {
      door.agent.destroy();
      await pulse.stop();
      const log = createEmbeddedLog({ dir: join(dataDir, 'log'), clock: systemClock });
      await log.start();
      const ranges = await log.offsets('telemetry');
      await log.stop();
      rmSync(dataDir, { recursive: true, force: true });
      const held = ranges.reduce((sum, { next }) => sum + next, 0);
      if (held !== door.acknowledged)
        throw new Error(`${door.acknowledged} requests were acknowledged and ${held} are on the log`);
    },
  };
  return door;
}

async function liftLimits(pulse: PulseProcess): Promise<void> {
  const response = await fetch(`${pulse.http}/api/v1/tenants/isp-door/limits`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${pulse.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(unlimited),
  });
  if (!response.ok) throw new Error(`limits: ${response.status} ${await response.text()}`);
}

/** Requests of 200 points each of 50 series, all different. */
export function buildBodies(count: number): Buffer[] {
  const now = Date.now();
  let seed = 7;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  return Array.from({ length: count }, (_, body) => {
    const dataPoints = Array.from({ length: 200 }, (_point, index) => ({
      timeUnixNano: `${now - body * 1000 - Math.floor(index / 50)}000000`,
      asDouble: Math.round(random() * 1e6) / 100,
      attributes: [
        { key: 'network.interface.name', value: { stringValue: `eth${index % 50}` } },
        { key: 'http.route', value: { stringValue: `/customers/${index % 50}` } },
      ],
    }));
    const metrics = [{ name: 'container.memory.usage', unit: 'By', gauge: { dataPoints } }];
    return Buffer.from(
      encodeOtlp('metrics', { resourceMetrics: [{ scopeMetrics: [{ scope: { name: 'bench' }, metrics }] }] }),
    );
  });
}

/** Sends from `senders` connections until `ms` are over; answers the milliseconds of each acknowledgment. `pauseMs` waits between a sender's requests. */
export async function load(
  door: Door,
  bodies: readonly Buffer[],
  options: { readonly senders: number; readonly ms: number; readonly pauseMs?: number },
): Promise<{ readonly latenciesMs: number[]; readonly seconds: number }> {
  const latenciesMs: number[] = [];
  const began = performance.now();
  const pause = () => new Promise((resolve) => setTimeout(resolve, (options.pauseMs ?? 0) * (0.5 + Math.random())));
  const sender = async (number: number) => {
    // Senders of a fleet do not begin in the same instant.
    if (options.pauseMs !== undefined) await pause();
    for (let turn = number; performance.now() - began < options.ms; turn += options.senders) {
      const sent = performance.now();
      const status = await post(door, bodies[turn % bodies.length] ?? Buffer.alloc(0));
      if (status !== 200) throw new Error(`the door answered ${status}`);
      door.acknowledged += 1;
      latenciesMs.push(performance.now() - sent);
      if (options.pauseMs !== undefined) await pause();
    }
  };
  await Promise.all(Array.from({ length: options.senders }, (_, number) => sender(number)));
  return { latenciesMs, seconds: (performance.now() - began) / 1000 };
}

function post(door: Door, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(
      `${door.pulse.otlpHttp}/v1/metrics`,
      {
        agent: door.agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${door.key}`,
          'content-type': 'application/x-protobuf',
          'content-length': body.length,
        },
      },
      (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sending.once('error', reject);
    sending.end(body);
  });
}
