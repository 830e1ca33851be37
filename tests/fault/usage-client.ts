import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeOtlp } from 'streams/otlp';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';

/** Starts a server that meters every second. */
export function startMetering(dir: string): Promise<PulseProcess> {
  const config = join(dir, 'metering.yaml');
  writeFileSync(config, 'billing:\n  meteringIntervalSeconds: 1\n');
  return startPulse({ dataDir: join(dir, 'data'), args: [`--config=${config}`] });
}

export const networkMetric = 'dotmac.network.interface.io';

/** One point of a counter. *Units* milliseconds; `startMs` 0 names no start. */
export interface SentPoint {
  readonly timeMs: number;
  readonly startMs: number;
  readonly value: number;
}

/** Protobuf of one cumulative counter of a network interface. */
export function encodeCounter(name: string, points: readonly SentPoint[]): Uint8Array {
  const attributes = [{ key: 'network.interface.name', value: { stringValue: name } }];
  const dataPoints = points.map(({ timeMs, startMs, value }) => ({
    timeUnixNano: `${timeMs}000000`,
    ...(startMs === 0 ? {} : { startTimeUnixNano: `${startMs}000000` }),
    asInt: String(value),
    attributes,
  }));
  const sum = { dataPoints, aggregationTemporality: 2, isMonotonic: true };
  return encodeOtlp('metrics', {
    resourceMetrics: [{ resource: {}, scopeMetrics: [{ metrics: [{ name: networkMetric, unit: 'By', sum }] }] }],
  });
}

interface UsageAnswer {
  readonly meters: readonly { readonly meter: string; readonly quantity: string; readonly events: number }[];
}

/** What a bill is made of: every meter of the period, and the lines of its draft. */
export interface Bill {
  readonly meters: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
}

/** A tenant whose usage is watched. The meter `plugin_calls` is the client's own: its events mark how far metering has read. */
export interface UsageClient {
  readonly key: string;
  /** Sends usage events; answers the status and the code of a refusal. */
  events(body: unknown, key?: string): Promise<{ status: number; code: string | undefined }>;
  post(base: string, path: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<number>;
  /** Resolves when everything sent before is in the facts. */
  settled(): Promise<void>;
  bill(period: string): Promise<Bill>;
  get<T>(path: string): Promise<T>;
}

export async function createUsageClient(pulse: () => PulseProcess, tenant: string, key?: string): Promise<UsageClient> {
  const own = key ?? (await createTenant(pulse(), { id: tenant, currency: 'USD', region: 'us-east', timeZone: 'UTC' }));
  let marks = 0;
  const query = (path: string) => `${path}${path.includes('?') ? '&' : '?'}tenant=${tenant}`;
  async function get<T>(path: string): Promise<T> {
    const { status, body } = await call<T>(pulse(), query(path));
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }
  async function events(body: unknown, sender = own) {
    const response = await fetch(`${pulse().http}/api/v1/plugins/usage-events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sender}`, 'content-type': 'application/cloudevents-batch+json' },
      body: JSON.stringify(Array.isArray(body) ? body : [body]),
    });
    const answer = (await response.json()) as { code?: string };
    return { status: response.status, code: answer.code };
  }
  const marked = async (period: string) =>
    (await get<UsageAnswer>(`/api/v1/billing/usage?period=${period}`)).meters.find(
      ({ meter }) => meter === 'plugin_calls',
    )?.events ?? 0;
  return {
    key: own,
    events,
    get,
    async post(base, path, body, headers) {
      const response = await fetch(`${base}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${own}`, ...headers },
        body: new Uint8Array(body),
      });
      await response.arrayBuffer();
      return response.status;
    },
    async settled() {
      const time = new Date();
      const period = time.toISOString().slice(0, 7);
      const before = await marked(period);
      marks += 1;
      const id = `mark-${process.pid}-${Date.now()}-${marks}`;
      const mark = { specversion: '1.0', type: 'plugin_call', source: '/mark', id, time, data: { value: '1' } };
      const { status } = await events(mark);
      if (status !== 200) throw new Error(`the mark was refused: ${status}`);
      await until(
        () => marked(period),
        (now) => now > before,
        90,
      );
    },
    async bill(period) {
      const { meters } = await get<UsageAnswer>(`/api/v1/billing/usage?period=${period}`);
      const { items } = await get<{ items: { lines: { item: string; quantity: string; amount: string }[] }[] }>(
        `/api/v1/billing/invoices?period=${period}`,
      );
      const quantities = meters.filter(({ meter }) => meter !== 'plugin_calls').map((one) => [one.meter, one.quantity]);
      return {
        meters: Object.fromEntries(quantities),
        lines: (items[0]?.lines ?? []).map(({ item, quantity, amount }) => `${item} ${quantity} ${amount}`),
      };
    },
  };
}

/** The month that an instant falls in. */
export const periodOfInstant = (ms: number): string => new Date(ms).toISOString().slice(0, 7);
