import { readFileSync } from 'node:fs';
import { encodeOtlp } from 'streams/otlp';

export interface Points {
  readonly metric: string;
  readonly timeMs: number;
  readonly count: number;
  /** Value of the attribute `series` of point `index`. */
  readonly series: (index: number) => string;
  /** Value of `dotmac.tenant.id` in the resource. */
  readonly tenant?: string;
}

/** Protobuf of one gauge with `count` points at one time. */
export function encodePoints({ metric, timeMs, count, series, tenant }: Points): Uint8Array {
  const attributes = tenant === undefined ? [] : [{ key: 'dotmac.tenant.id', value: { stringValue: tenant } }];
  const dataPoints = Array.from({ length: count }, (_, index) => ({
    timeUnixNano: `${timeMs}000000`,
    asInt: String(index),
    attributes: [{ key: 'series', value: { stringValue: series(index) } }],
  }));
  return encodeOtlp('metrics', {
    resourceMetrics: [
      { resource: { attributes }, scopeMetrics: [{ metrics: [{ name: metric, gauge: { dataPoints } }] }] },
    ],
  });
}

export interface Sent {
  /** 0: the connection broke. */
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
  readonly ms: number;
}

/** Sends a body by OTLP/HTTP and measures the answer. */
export async function sendOtlp(
  base: string,
  key: string,
  body: Uint8Array,
  options: { readonly path?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Sent> {
  const began = performance.now();
  try {
    const response = await fetch(`${base}${options.path ?? '/v1/metrics'}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-protobuf', ...options.headers },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    const retryAfter = response.headers.get('retry-after');
    return { status: response.status, retryAfter, text, ms: performance.now() - began };
  } catch (error) {
    return { status: 0, retryAfter: null, text: String(error), ms: performance.now() - began };
  }
}

/** The value below which `share` of the values lie; nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Resident memory of a process. *Units* bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}
