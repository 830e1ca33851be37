import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** One request of the sender: what it holds, and the bytes that are sent again, unchanged, until they are acknowledged. */
export interface Request {
  readonly id: number;
  readonly tenant: string;
  readonly path: string;
  readonly contentType: string;
  readonly gzip: boolean;
  readonly body: Buffer;
  readonly points: readonly {
    readonly metric: string;
    readonly hour: number;
    readonly count: number;
    readonly sum: number;
  }[];
  readonly events: { readonly count: number; readonly sum: number };
  readonly spans: number;
  readonly logRecords: number;
}

/** The generator's own ledger: a line is on disk before the request leaves and after its acknowledgment came. It alone is the oracle. */
export function createLedger(file: string) {
  const handle = openSync(file, 'a');
  const append = (line: object) => {
    writeSync(handle, `${JSON.stringify(line)}\n`);
    fsyncSync(handle);
  };
  return {
    sending: (request: Request) => append({ sending: request.id }),
    acknowledged: (request: Request) => append({ acknowledged: request.id }),
    close: () => closeSync(handle),
  };
}

/** What a ledger says: every request that was sent, and those of them that were acknowledged. A line torn by an interruption is no line. */
export function readLedger(file: string): {
  readonly sent: ReadonlySet<number>;
  readonly acknowledged: ReadonlySet<number>;
} {
  const sent = new Set<number>();
  const acknowledged = new Set<number>();
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const { sending, acknowledged: done } = JSON.parse(line) as { sending?: number; acknowledged?: number };
    if (sending !== undefined) sent.add(sending);
    if (done !== undefined) acknowledged.add(done);
  }
  return { sent, acknowledged };
}

const hourMs = 3_600_000;
const metrics = ['dotmac.logins', 'dotmac.transactions', 'dotmac.customers.active'];

/** Builds request `id`: metrics of integer values over two hours, or usage events, or spans and logs, all different from every other request's. */
export function buildRequest(id: number, tenant: string, baseMs: number): Request {
  const kind = id % 5;
  if (kind === 3) return eventRequest(id, tenant, baseMs);
  if (kind === 4) return recordRequest(id, tenant, baseMs);
  return metricRequest(id, tenant, baseMs);
}

const empty = { points: [], events: { count: 0, sum: 0 }, spans: 0, logRecords: 0 } as const;

function metricRequest(id: number, tenant: string, baseMs: number): Request {
  const points: Request['points'][number][] = [];
  const built = metrics.map((name, metric) => {
    const dataPoints = Array.from({ length: 40 }, (_, index) => {
      // Unique over all requests: 40 points a request and metric, a second apart, from either of two hours.
      const timeMs = baseMs + (index % 2) * hourMs + id * 1000 + index;
      const value = id * 7 + metric + index;
      points.push({ metric: name, hour: Math.floor(timeMs / hourMs), count: 1, sum: value });
      return {
        timeUnixNano: `${timeMs}000000`,
        asInt: String(value),
        attributes: [{ key: 'line', value: { stringValue: `l${index % 4}` } }],
      };
    });
    return { name, gauge: { dataPoints } };
  });
  const json = {
    resourceMetrics: [{ resource: { attributes: [] }, scopeMetrics: [{ scope: { name: 'fault' }, metrics: built }] }],
  };
  return {
    ...empty,
    id,
    tenant,
    path: '/v1/metrics',
    contentType: 'application/json',
    gzip: true,
    body: gzipSync(JSON.stringify(json)),
    points,
  };
}

function eventRequest(id: number, tenant: string, baseMs: number): Request {
  const events = Array.from({ length: 10 }, (_, index) => ({
    specversion: '1.0',
    id: `r${id}-${index}`,
    source: `urn:${tenant}`,
    type: 'api_calls',
    subject: 'portal',
    time: new Date(baseMs + id * 1000 + index).toISOString(),
    data: { value: String(id + index) },
  }));
  const sum = events.reduce((total, event) => total + Number(event.data.value), 0);
  return {
    ...empty,
    id,
    tenant,
    path: '/api/v1/plugins/usage-events',
    contentType: 'application/json',
    gzip: false,
    body: Buffer.from(JSON.stringify(events)),
    events: { count: events.length, sum },
  };
}

function recordRequest(id: number, tenant: string, baseMs: number): Request {
  const logRecords = Array.from({ length: 20 }, (_, index) => ({
    timeUnixNano: `${baseMs + id * 1000 + index}000000`,
    body: { stringValue: index % 2 === 0 ? `line ${id}` : `line ${id} again` },
    severityNumber: 9,
  }));
  const json = {
    resourceLogs: [{ resource: { attributes: [] }, scopeLogs: [{ scope: { name: 'fault' }, logRecords }] }],
  };
  return {
    ...empty,
    id,
    tenant,
    path: '/v1/logs',
    contentType: 'application/json',
    gzip: true,
    body: gzipSync(JSON.stringify(json)),
    logRecords: 20,
  };
}

/** Sends once. True when acknowledged; false when the connection broke or the server asked to come back; anything else is a failure of the test. */
export async function send(request: Request, base: string, key: string, signal: AbortSignal): Promise<boolean> {
  let response: Response;
  try {
    response = await fetch(`${base}${request.path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': request.contentType,
        ...(request.gzip ? { 'content-encoding': 'gzip' } : {}),
      },
      body: new Uint8Array(request.body),
      signal,
    });
    const text = await response.text();
    if (response.status === 200) return true;
    if ([429, 503].includes(response.status)) return false;
    throw new Error(`request ${request.id} was answered ${response.status}: ${text}`);
  } catch (error) {
    if (error instanceof TypeError || (error instanceof DOMException && error.name === 'AbortError')) return false;
    throw error;
  }
}
