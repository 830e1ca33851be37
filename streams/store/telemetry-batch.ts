import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import type { TenantDirectory } from '../access/port.ts';
import { AppError, type Signal, UsageEvent } from '../contract/index.ts';
import { type Envelope, fromHeaders } from '../log/envelope.ts';
import { type LogBatch, type LogRecord, usePayload } from '../log/port.ts';
import type {
  ExemplarRow,
  ExponentialHistogramRow,
  HistogramRow,
  LogRow,
  OtlpDecoder,
  PointColumns,
  SeriesEntry,
  SpanRow,
  SummaryRow,
  TimeBounds,
} from '../otlp/port.ts';
import { HourLedger, hourOf } from './hour-ledger.ts';
import { scaledDecimal } from './native-block.ts';
import { flagLate, GatherPool, type PointGather, type PointOrigin } from './point-gather.ts';
import type { EventClaim } from './usage-identities.ts';

/** A decoded row with what its record adds. `received` in seconds. */
export interface Received<T> {
  readonly tenant: number;
  readonly received: number;
  readonly retentionDays: number;
  readonly row: T;
}

/** What of a producer's numbered export was accepted in one hour. `hour` in seconds. */
export interface ProducedRow {
  readonly tenant: number;
  readonly signal: Signal;
  readonly producer: string;
  readonly first: number;
  readonly count: number;
  readonly anchored: boolean;
  readonly hour: number;
  readonly records: number;
  readonly partition: number;
  readonly seq: number;
}

export interface DeadLetter {
  readonly record: LogRecord;
  readonly tenant: number;
  readonly code: string;
  readonly detail: string;
}

/** Everything of a log batch, decoded. The ledger holds accepted and logged; duplicates come later. */
export interface TelemetryBatch {
  readonly points: PointGather;
  readonly histograms: Received<HistogramRow>[];
  readonly exponentialHistograms: Received<ExponentialHistogramRow>[];
  readonly summaries: Received<SummaryRow>[];
  readonly exemplars: Received<ExemplarRow>[];
  readonly spans: Received<SpanRow>[];
  readonly logs: Received<LogRow>[];
  readonly events: EventClaim[];
  /** Numbers of producers. `seq` is the offset of the record that brought them. */
  readonly produced: ProducedRow[];
  readonly deadLetters: DeadLetter[];
  readonly newSeries: SeriesEntry[];
  readonly ledger: HourLedger;
}

export interface BatchDecoding {
  readonly decoder: OtlpDecoder;
  readonly tenants: Pick<TenantDirectory, 'byNumber'>;
  readonly bounds: (receivedAtMs: number, retentionDays: number) => TimeBounds;
  /** Retention of a record whose envelope names none. */
  readonly retentionDays: number;
  readonly gathers?: GatherPool;
}

const emptyBatch = (points: PointGather): TelemetryBatch => ({
  points,
  histograms: [],
  exponentialHistograms: [],
  summaries: [],
  exemplars: [],
  spans: [],
  logs: [],
  events: [],
  produced: [],
  deadLetters: [],
  newSeries: [],
  ledger: new HourLedger(),
});

const envelopeShape = z.object({
  tenant: z.string(),
  tenantNumber: z.number().int().min(1).max(0xffff_ffff),
  signal: z.literal(['metrics', 'traces', 'logs', 'events']),
  encoding: z.literal(['otlp', 'cloudevents']),
  receivedAt: z.number().min(0),
  retentionDays: z.number().int().min(1).max(0xffff).optional(),
  lateAfterSeconds: z.number().min(0).optional(),
  produced: z
    .array(
      z.object({
        producer: z.string().min(1).max(1024),
        first: z.number().int().min(0),
        count: z.number().int().min(1),
        anchored: z.boolean(),
        hours: z.array(z.object({ hour: z.number().int().min(0).max(0xffff_ffff), records: z.number().int().min(0) })),
      }),
    )
    .optional(),
  counts: z.array(
    z.object({
      hour: z.number().int().min(0).max(0xffff_ffff),
      records: z.number().int().min(0),
      sum: z
        .string()
        .regex(/^-?\d{1,26}(\.\d{1,12})?$/)
        .optional(),
    }),
  ),
});
const usageEvents = z.array(UsageEvent.extend({ time: z.iso.datetime() }));

function readEnvelope(record: LogRecord, tenants: BatchDecoding['tenants']): Envelope {
  const envelope = fromHeaders(record.headers);
  const parsed = envelopeShape.safeParse(envelope);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new AppError('store.envelope_invalid', `envelope: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const known = tenants.byNumber(envelope.tenantNumber);
  if (known !== undefined && known.id !== envelope.tenant) {
    throw new AppError('store.tenant_mismatch', `number ${envelope.tenantNumber} is not tenant ${envelope.tenant}`);
  }
  return envelope;
}

/** What an envelope says about the rows of its record. Without `lateAfterSeconds` nothing is late: the credential may backfill. */
function originOf(envelope: Envelope, decoding: BatchDecoding): PointOrigin & { bounds: TimeBounds } {
  const { receivedAt: receivedMs, lateAfterSeconds, retentionDays = decoding.retentionDays } = envelope;
  const lateBeforeMs = lateAfterSeconds === undefined ? Number.NEGATIVE_INFINITY : receivedMs - lateAfterSeconds * 1000;
  return { receivedMs, retentionDays, lateBeforeMs, bounds: decoding.bounds(receivedMs, retentionDays) };
}

/** Adds the points to the ledger's hours. Neighbours share their hour, so the ledger is asked once a run. */
function countPoints(batch: TelemetryBatch, tenant: number, points: PointColumns): void {
  let hour = -1;
  let run = 0;
  const flush = () => {
    if (run > 0) batch.ledger.at('metrics', tenant, hour).logged += run;
    run = 0;
  };
  for (let index = 0; index < points.length; index++) {
    const at = hourOf(points.timeMs[index] as number);
    if (at !== hour) {
      flush();
      hour = at;
    }
    run++;
  }
  flush();
}

function decodeMetrics(batch: TelemetryBatch, record: LogRecord, envelope: Envelope, decoding: BatchDecoding): void {
  const tenant = envelope.tenantNumber;
  const origin = originOf(envelope, decoding);
  usePayload(record, (payload) => decoding.decoder.metrics(payload, tenant, origin.bounds));
  // Taken record by record: each keeps its own received-at, and two partitions may share the decoder.
  const decoded = decoding.decoder.takeMetrics();
  const received = Math.floor(envelope.receivedAt / 1000);
  const { retentionDays, lateBeforeMs } = origin;
  countPoints(batch, tenant, decoded.points);
  batch.points.add(decoded.points, origin);
  const keep = <T extends { timeMs: number; flags: number }>(rows: readonly T[], to: Received<T>[]) => {
    for (const row of rows) {
      batch.ledger.at('metrics', tenant, hourOf(row.timeMs)).logged++;
      const flagged = row.timeMs < lateBeforeMs ? { ...row, flags: row.flags | flagLate } : row;
      to.push({ tenant, received, retentionDays, row: flagged });
    }
  };
  keep(decoded.histograms, batch.histograms);
  keep(decoded.exponentialHistograms, batch.exponentialHistograms);
  keep(decoded.summaries, batch.summaries);
  // An exemplar belongs to a point and is not counted by itself.
  for (const row of decoded.exemplars) batch.exemplars.push({ tenant, received, retentionDays, row });
  for (const entry of decoded.newSeries) batch.newSeries.push(entry);
  decoding.decoder.recycle(decoded);
}

function decodeEvents(batch: TelemetryBatch, record: LogRecord, envelope: Envelope, retentionDays: number): void {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(record.payload).toString('utf8'));
  } catch (cause) {
    throw new AppError('store.events_malformed', 'the payload is not JSON', { cause });
  }
  const parsed = usageEvents.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new AppError('store.events_malformed', `usage events: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const tenant = envelope.tenantNumber;
  parsed.data.forEach((event, index) => {
    const entry = batch.ledger.at('events', tenant, hourOf(Date.parse(event.time)));
    entry.logged++;
    entry.loggedSum += scaledDecimal(event.value, 12);
    const { partition, offset } = record;
    batch.events.push({ tenant, receivedMs: envelope.receivedAt, retentionDays, event, partition, offset, index });
  });
}

function decodeRecord(batch: TelemetryBatch, record: LogRecord, envelope: Envelope, decoding: BatchDecoding): void {
  const tenant = envelope.tenantNumber;
  const received = Math.floor(envelope.receivedAt / 1000);
  const { bounds, retentionDays } = originOf(envelope, decoding);
  const keep = <T extends { timeNs: bigint }>(signal: 'traces' | 'logs', rows: readonly T[], to: Received<T>[]) => {
    for (const row of rows) {
      batch.ledger.at(signal, tenant, hourOf(Number(row.timeNs / 1_000_000n))).logged++;
      to.push({ tenant, received, retentionDays, row });
    }
  };
  if (envelope.signal === 'metrics') decodeMetrics(batch, record, envelope, decoding);
  else if (envelope.signal === 'events') decodeEvents(batch, record, envelope, retentionDays);
  else if (envelope.signal === 'traces') {
    const rows = usePayload(record, (payload) => decoding.decoder.traces(payload, bounds));
    keep('traces', rows, batch.spans);
  } else {
    const rows = usePayload(record, (payload) => decoding.decoder.logs(payload, bounds, envelope.part));
    keep('logs', rows, batch.logs);
  }
}

function keepNumbers(batch: TelemetryBatch, { partition, offset }: LogRecord, envelope: Envelope): void {
  for (const { producer, first, count, anchored, hours } of envelope.produced ?? []) {
    const range = { tenant: envelope.tenantNumber, signal: envelope.signal, producer, first, count, anchored };
    for (const { hour, records } of hours) batch.produced.push({ ...range, hour, records, partition, seq: offset });
  }
}

/** Longest stretch of decoding between two turns of the event loop, milliseconds. */
const turnMs = 8;

/**
 * Decodes the records of a log batch. A record that cannot be read becomes a dead letter and holds up nothing: what its envelope accepted stays accepted and not logged,
 * so reconciliation shows it.
 */
export async function decodeBatch(log: LogBatch, decoding: BatchDecoding): Promise<TelemetryBatch> {
  const batch = emptyBatch((decoding.gathers ?? new GatherPool()).take());
  let turn = performance.now();
  for (const record of log.records) {
    let envelope: Envelope | undefined;
    try {
      envelope = readEnvelope(record, decoding.tenants);
      keepNumbers(batch, record, envelope);
      for (const count of envelope.counts) batch.ledger.accept(envelope.signal, envelope.tenantNumber, count);
      decodeRecord(batch, record, envelope, decoding);
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'store.decode_failed';
      const detail = error instanceof Error ? error.message : String(error);
      batch.deadLetters.push({ record, tenant: envelope?.tenantNumber ?? 0, code, detail });
    }
    if (performance.now() - turn > turnMs) {
      await nextTurn();
      turn = performance.now();
    }
  }
  return batch;
}
