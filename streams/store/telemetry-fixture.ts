import { join } from 'node:path';
import { type Envelope, toHeaders } from '../log/envelope.ts';
import type { Log, LogBatch, LogRecord } from '../log/port.ts';
import {
  createOtlpDecoder,
  encodeOtlp,
  type OtlpDecoderOptions,
  type OtlpSignal,
  scanOtlp,
  timeBounds,
} from '../otlp/index.ts';
import type { Store } from './port.ts';
import { createRollUpJob } from './roll-up-job.ts';
import { fixedClock, silentLogger } from './store-fixture.ts';
import { createTelemetryConsumer } from './telemetry-consumer.ts';
import { openUsageIdentities } from './usage-identities.ts';

/** Received-at of everything in the tests. */
export const receivedAt = Date.UTC(2026, 10, 21, 12, 30);

/** Hours and sums as the door counts them for usage events. */
function eventCounts(events: readonly { time: string; value: string }[]) {
  const counts = new Map<number, { hour: number; records: number; sum: string }>();
  for (const event of events) {
    const hour = Math.floor(Date.parse(event.time) / 3_600_000) * 3600;
    const count = counts.get(hour) ?? { hour, records: 0, sum: '0' };
    const sum = String(Number(count.sum) + Number(event.value));
    counts.set(hour, { hour, records: count.records + 1, sum });
  }
  return [...counts.values()];
}

/** A log in memory that hands planned batches to the consumer's handler, as the real one does. */
export class BatchFeed {
  readonly #records: LogRecord[] = [];
  committed = 0;
  log: Log;

  constructor() {
    const unused = () => {
      throw new Error('not part of this test');
    };
    this.log = {
      consumer: () => ({
        start: async () => {},
        stop: async () => {},
        lag: async () => this.#records.length - this.committed,
      }),
      committed: async () => [{ partition: 0, next: this.committed }],
      start: unused,
      stop: unused,
      append: unused,
      read: unused,
      epoch: () => 'e',
      offsets: unused,
      retain: unused,
    };
  }

  #push(headers: Readonly<Record<string, string>>, payload: Uint8Array, receivedMs = receivedAt): void {
    const offset = this.#records.length;
    const base = { topic: 'telemetry', partition: 0, offset, appendedAt: receivedMs + offset, key: 't' } as const;
    this.#records.push({ ...base, headers, payload });
  }

  otlp(
    signal: OtlpSignal,
    request: unknown,
    tenant = 1,
    limits: Pick<Envelope, 'retentionDays' | 'lateAfterSeconds' | 'produced'> = {},
  ): this {
    const payload = encodeOtlp(signal, request);
    const counts = scanOtlp(signal, payload, timeBounds(receivedAt)).hours;
    const envelope = {
      tenant: `t-${tenant}`,
      tenantNumber: tenant,
      signal,
      encoding: 'otlp' as const,
      receivedAt,
      ...limits,
    };
    this.#push(toHeaders({ ...envelope, credential: 'key', batch: 'b', part: 0, parts: 1, counts }), payload);
    return this;
  }

  events(
    events: readonly Record<string, unknown>[],
    tenant = 1,
    receivedMs = receivedAt,
    limits: Pick<Envelope, 'retentionDays'> = {},
  ): this {
    const full = events.map((event) => ({
      type: 'api_calls',
      source: '/app',
      subject: '',
      time: new Date(receivedMs - 60_000).toISOString(),
      value: '1',
      attributes: {},
      ...event,
    }));
    const envelope = {
      tenant: `t-${tenant}`,
      tenantNumber: tenant,
      signal: 'events',
      encoding: 'cloudevents',
    } as const;
    const counts = eventCounts(full);
    const origin = { receivedAt: receivedMs, credential: 'key', batch: 'b', part: 0, parts: 1, ...limits };
    this.#push(toHeaders({ ...envelope, ...origin, counts }), Buffer.from(JSON.stringify(full)), receivedMs);
    return this;
  }

  raw(headers: Record<string, string>, payload: Uint8Array): this {
    this.#push(headers, payload);
    return this;
  }

  /** Everything not committed yet as one planned batch. */
  plan(redelivered = false): LogBatch {
    const records = this.#records.slice(this.committed);
    const [first, last] = [this.committed, this.#records.length - 1];
    const token = `e-telemetry-0-${first}-${last}`;
    return { topic: 'telemetry', partition: 0, epoch: 'e', first, last, token, redelivered, records };
  }

  commit(): void {
    this.committed = this.#records.length;
  }
}

/** A consumer and a roll-up job on a store: one process's worth of state. */
export function openPipeline(options: { dir: string; store: Store; feed: BatchFeed; decoder?: OtlpDecoderOptions }) {
  const identities = openUsageIdentities(join(options.dir, 'usage-identities'));
  const consumer = createTelemetryConsumer({
    log: options.feed.log,
    store: options.store,
    tenants: { byNumber: () => undefined },
    identities,
    createDecoder: () => createOtlpDecoder(options.decoder),
    bounds: (at) => timeBounds(at),
    retentionDays: 400,
    clock: fixedClock(receivedAt),
    logger: silentLogger,
  });
  const job = createRollUpJob({
    store: options.store,
    log: options.feed.log,
    logger: silentLogger,
    lag: () => consumer.lag(),
  });
  return {
    consumer,
    job,
    /** Handles and commits what waits, then rolls up. */
    async drain() {
      await consumer.handle(options.feed.plan());
      options.feed.commit();
      await job.runOnce();
    },
    /** As if every identity were past its time. */
    async forget() {
      while (identities.prune(receivedAt + 1e9, 1000) > 0);
    },
    close: () => identities.close(),
  };
}

const resource = (instance: string) => ({ attributes: [{ key: 'service.name', value: { stringValue: instance } }] });

/** A request of one metric: points are `[ms, value]`. */
export function numberMetric(
  name: string,
  points: readonly (readonly [number, number])[],
  options: { counter?: boolean; attribute?: string; startMs?: number } = {},
) {
  const dataPoints = points.map(([ms, value]) => ({
    timeUnixNano: `${ms}000000`,
    startTimeUnixNano: `${options.startMs ?? 0}000000`,
    asDouble: value,
    attributes: [{ key: 'a', value: { stringValue: options.attribute ?? 'x' } }],
  }));
  const data = options.counter
    ? { sum: { dataPoints, aggregationTemporality: 2, isMonotonic: true } }
    : { gauge: { dataPoints } };
  return {
    resourceMetrics: [{ resource: resource('app'), scopeMetrics: [{ metrics: [{ name, unit: '1', ...data }] }] }],
  };
}

export function histogramMetric(name: string, times: readonly number[]) {
  const dataPoints = times.map((ms) => ({
    timeUnixNano: `${ms}000000`,
    count: '3',
    sum: 6.5,
    bucketCounts: ['1', '2', '0'],
    explicitBounds: [1, 5],
  }));
  const metric = { name, unit: 's', histogram: { dataPoints, aggregationTemporality: 1 } };
  return { resourceMetrics: [{ resource: resource('app'), scopeMetrics: [{ metrics: [metric] }] }] };
}

export function spanRequest(ids: readonly string[], ms: number) {
  const spans = ids.map((id) => ({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: id,
    name: 'GET /',
    kind: 2,
    startTimeUnixNano: `${ms}000000`,
    endTimeUnixNano: `${ms + 5}000000`,
    attributes: [{ key: 'http.route', value: { stringValue: '/' } }],
    events: [{ timeUnixNano: `${ms + 1}000000`, name: 'e', attributes: [{ key: 'k', value: { stringValue: 'v' } }] }],
    links: [{ traceId: '0af7651916cd43dd8448eb211c80319d', spanId: 'b7ad6b7169203332' }],
    status: { code: 2, message: 'bad' },
  }));
  return {
    resourceSpans: [{ resource: resource('shop'), scopeSpans: [{ scope: { name: 'lib', version: '1' }, spans }] }],
  };
}

export function logRequest(bodies: readonly string[], ms: number) {
  const logRecords = bodies.map((body) => ({
    timeUnixNano: `${ms}000000`,
    severityNumber: 9,
    severityText: 'INFO',
    body: { stringValue: body },
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
  }));
  return { resourceLogs: [{ resource: resource('shop'), scopeLogs: [{ logRecords }] }] };
}
