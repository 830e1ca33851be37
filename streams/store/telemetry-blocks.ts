import type { LogRow, SeriesEntry, SpanRow } from '../otlp/port.ts';
import type { PointGather } from './point-gather.ts';
import type { Block, Column, ColumnType } from './port.ts';
import type { DeadLetter, Received, TelemetryBatch } from './telemetry-batch.ts';
import type { ClaimVerdict, EventClaim } from './usage-identities.ts';

const millis = "DateTime64(3, 'UTC')";
const nanos = "DateTime64(9, 'UTC')";
const seconds = "DateTime('UTC')";
const map = 'Map(String, String)';

const columnOf =
  <T>(rows: readonly T[]) =>
  (name: string, type: ColumnType, of: (row: T) => unknown): Column => ({ name, type, values: rows.map(of) });

/** Samples of a batch; only the ids and tenants are filled in here, everything else is a view of what was gathered. */
function samplesBlock(points: PointGather): Block {
  const rows = points.length;
  const tenant = new Uint32Array(rows);
  const series = new BigUint64Array(rows);
  for (let row = 0; row < rows; row++) {
    const entry = points.series[row] as SeriesEntry;
    tenant[row] = entry.tenant;
    series[row] = entry.id;
  }
  return {
    table: 'samples',
    rows,
    columns: [
      { name: 'tenant', type: 'UInt32', values: tenant },
      { name: 'series', type: 'UInt64', values: series },
      { name: 'time', type: millis, values: points.timeMs },
      { name: 'value', type: 'Float64', values: points.value },
      { name: 'start', type: millis, values: points.startMs },
      { name: 'received', type: seconds, values: points.received },
      { name: 'flags', type: 'UInt8', values: points.flags },
      { name: 'retention_days', type: 'UInt16', values: points.retentionDays },
    ],
  };
}

interface PointLike {
  readonly series: SeriesEntry;
  readonly timeMs: number;
  readonly startMs: number;
  readonly flags: number;
  readonly count: bigint;
  readonly sum: number;
}

function pointBlock<T extends PointLike>(
  table: string,
  rows: readonly Received<T>[],
  own: (column: ReturnType<typeof columnOf<Received<T>>>) => Column[],
): Block {
  const column = columnOf(rows);
  return {
    table,
    rows: rows.length,
    columns: [
      column('tenant', 'UInt32', (item) => item.tenant),
      column('series', 'UInt64', ({ row }) => row.series.id),
      column('time', millis, ({ row }) => Math.floor(row.timeMs)),
      column('start', millis, ({ row }) => Math.floor(row.startMs)),
      column('count', 'UInt64', ({ row }) => row.count),
      column('sum', 'Float64', ({ row }) => row.sum),
      ...own(column),
      column('received', seconds, (item) => item.received),
      column('flags', 'UInt8', ({ row }) => row.flags),
      column('retention_days', 'UInt16', (item) => item.retentionDays),
    ],
  };
}

function spansBlock(rows: readonly Received<SpanRow>[]): Block {
  const column = columnOf(rows);
  return {
    table: 'spans',
    rows: rows.length,
    columns: [
      column('tenant', 'UInt32', (item) => item.tenant),
      column('Timestamp', nanos, ({ row }) => row.timeNs),
      column('TraceId', 'FixedString(16)', ({ row }) => row.traceId),
      column('SpanId', 'FixedString(8)', ({ row }) => row.spanId),
      column('ParentSpanId', 'FixedString(8)', ({ row }) => row.parentSpanId),
      column('TraceState', 'String', ({ row }) => row.traceState),
      column('SpanName', 'String', ({ row }) => row.name),
      column('SpanKind', 'String', ({ row }) => row.kind),
      column('ServiceName', 'String', ({ row }) => row.serviceName),
      column('ResourceSchemaUrl', 'String', ({ row }) => row.resourceSchemaUrl),
      column('ResourceAttributes', map, ({ row }) => row.resourceAttributes),
      column('ScopeSchemaUrl', 'String', ({ row }) => row.scopeSchemaUrl),
      column('ScopeName', 'String', ({ row }) => row.scopeName),
      column('ScopeVersion', 'String', ({ row }) => row.scopeVersion),
      column('ScopeAttributes', map, ({ row }) => row.scopeAttributes),
      column('SpanAttributes', map, ({ row }) => row.attributes),
      column('Flags', 'UInt32', ({ row }) => row.flags),
      column('DroppedAttributes', 'UInt32', ({ row }) => row.droppedAttributes),
      column('DroppedEvents', 'UInt32', ({ row }) => row.droppedEvents),
      column('DroppedLinks', 'UInt32', ({ row }) => row.droppedLinks),
      column('Duration', 'UInt64', ({ row }) => row.durationNs),
      column('StatusCode', 'String', ({ row }) => row.statusCode),
      column('StatusMessage', 'String', ({ row }) => row.statusMessage),
      column('Events.Timestamp', `Array(${nanos})`, ({ row }) => row.events.map((event) => event.timeNs)),
      column('Events.Name', 'Array(String)', ({ row }) => row.events.map((event) => event.name)),
      column('Events.Attributes', `Array(${map})`, ({ row }) => row.events.map((event) => event.attributes)),
      column('Events.DroppedAttributes', 'Array(UInt32)', ({ row }) =>
        row.events.map((event) => event.droppedAttributes),
      ),
      column('Links.TraceId', 'Array(String)', ({ row }) => row.links.map((link) => link.traceId)),
      column('Links.SpanId', 'Array(String)', ({ row }) => row.links.map((link) => link.spanId)),
      column('Links.TraceState', 'Array(String)', ({ row }) => row.links.map((link) => link.traceState)),
      column('Links.Attributes', `Array(${map})`, ({ row }) => row.links.map((link) => link.attributes)),
      column('Links.DroppedAttributes', 'Array(UInt32)', ({ row }) => row.links.map((link) => link.droppedAttributes)),
      column('Links.Flags', 'Array(UInt32)', ({ row }) => row.links.map((link) => link.flags)),
      column('received', seconds, (item) => item.received),
      column('retention_days', 'UInt16', (item) => item.retentionDays),
    ],
  };
}

function logsBlock(rows: readonly Received<LogRow>[]): Block {
  const column = columnOf(rows);
  return {
    table: 'log_records',
    rows: rows.length,
    columns: [
      column('tenant', 'UInt32', (item) => item.tenant),
      column('Timestamp', nanos, ({ row }) => row.timeNs),
      column('TraceId', 'FixedString(16)', ({ row }) => row.traceId),
      column('SpanId', 'FixedString(8)', ({ row }) => row.spanId),
      column('ObservedTimestamp', nanos, ({ row }) => row.observedNs),
      column('TraceFlags', 'UInt8', ({ row }) => row.traceFlags),
      column('SeverityText', 'String', ({ row }) => row.severityText),
      column('SeverityNumber', 'UInt8', ({ row }) => row.severityNumber),
      column('ServiceName', 'String', ({ row }) => row.serviceName),
      column('Body', 'String', ({ row }) => row.body),
      column('ResourceSchemaUrl', 'String', ({ row }) => row.resourceSchemaUrl),
      column('ResourceAttributes', map, ({ row }) => row.resourceAttributes),
      column('ScopeSchemaUrl', 'String', ({ row }) => row.scopeSchemaUrl),
      column('ScopeName', 'String', ({ row }) => row.scopeName),
      column('ScopeVersion', 'String', ({ row }) => row.scopeVersion),
      column('ScopeAttributes', map, ({ row }) => row.scopeAttributes),
      column('LogAttributes', map, ({ row }) => row.attributes),
      column('EventName', 'String', ({ row }) => row.eventName),
      column('DroppedAttributes', 'UInt32', ({ row }) => row.droppedAttributes),
      column('hash', 'UInt64', ({ row }) => row.hash),
      column('received', seconds, (item) => item.received),
      column('retention_days', 'UInt16', (item) => item.retentionDays),
    ],
  };
}

/** A backfilled event: occurred more than 32 days before it was received. */
const lateMs = 32 * 86_400_000;

function eventsBlock(events: readonly EventClaim[]): Block {
  const column = columnOf(events);
  return {
    table: 'usage_events',
    rows: events.length,
    columns: [
      column('tenant', 'UInt32', (claim) => claim.tenant),
      column('type', 'String', (claim) => claim.event.type),
      column('source', 'String', (claim) => claim.event.source),
      column('id', 'String', (claim) => claim.event.id),
      column('subject', 'String', (claim) => claim.event.subject),
      column('time', millis, (claim) => Date.parse(claim.event.time)),
      column('value', 'Decimal(38, 12)', (claim) => claim.event.value),
      column('attributes', map, (claim) => new Map(Object.entries(claim.event.attributes))),
      column('received', millis, (claim) => Math.floor(claim.receivedMs)),
      column('late', 'Bool', (claim) => claim.receivedMs - Date.parse(claim.event.time) > lateMs),
      column('partition', 'UInt16', (claim) => claim.partition),
      column('offset', 'UInt64', (claim) => claim.offset),
      column('retention_days', 'UInt16', (claim) => claim.retentionDays),
    ],
  };
}

function conflictsBlock(events: readonly EventClaim[]): Block {
  const column = columnOf(events);
  return {
    table: 'usage_conflicts',
    rows: events.length,
    columns: [
      column('tenant', 'UInt32', (claim) => claim.tenant),
      column('source', 'String', (claim) => claim.event.source),
      column('id', 'String', (claim) => claim.event.id),
      column('received', millis, (claim) => Math.floor(claim.receivedMs)),
      column('payload', 'String', (claim) => JSON.stringify(claim.event)),
      column('partition', 'UInt16', (claim) => claim.partition),
      column('offset', 'UInt64', (claim) => claim.offset),
      column('position', 'UInt32', (claim) => claim.index),
      column('retention_days', 'UInt16', (claim) => claim.retentionDays),
    ],
  };
}

function deadLettersBlock(letters: readonly DeadLetter[]): Block {
  const column = columnOf(letters);
  return {
    table: 'dead_letters',
    rows: letters.length,
    columns: [
      column('tenant', 'UInt32', (letter) => letter.tenant),
      column('at', millis, (letter) => Math.floor(letter.record.appendedAt)),
      column('topic', 'String', (letter) => letter.record.topic),
      column('partition', 'UInt16', (letter) => letter.record.partition),
      column('offset', 'UInt64', (letter) => letter.record.offset),
      column('code', 'String', (letter) => letter.code),
      column('detail', 'String', (letter) => letter.detail),
      column('envelope', 'String', (letter) => letter.record.headers['pulse'] ?? ''),
      column('payload', 'String', (letter) => letter.record.payload),
    ],
  };
}

/** Blocks of a decoded batch, one a table, empty ones left out. *Shape* depends on the batch only, so a redelivered one gives the same bytes. */
export function toBlocks(batch: TelemetryBatch, verdicts: readonly ClaimVerdict[]): Block[] {
  const withVerdict = (verdict: ClaimVerdict) => batch.events.filter((_, index) => verdicts[index] === verdict);
  const histograms = pointBlock('histograms', batch.histograms, (column) => [
    column('min', 'Float32', ({ row }) => row.min),
    column('max', 'Float32', ({ row }) => row.max),
    column('bucket_counts', 'Array(UInt64)', ({ row }) => row.bucketCounts),
  ]);
  const exponential = pointBlock('exponential_histograms', batch.exponentialHistograms, (column) => [
    column('min', 'Float32', ({ row }) => row.min),
    column('max', 'Float32', ({ row }) => row.max),
    column('scale', 'Int8', ({ row }) => row.scale),
    column('zero_count', 'UInt64', ({ row }) => row.zeroCount),
    column('zero_threshold', 'Float64', ({ row }) => row.zeroThreshold),
    column('positive_offset', 'Int32', ({ row }) => row.positiveOffset),
    column('positive_counts', 'Array(UInt64)', ({ row }) => row.positiveCounts),
    column('negative_offset', 'Int32', ({ row }) => row.negativeOffset),
    column('negative_counts', 'Array(UInt64)', ({ row }) => row.negativeCounts),
  ]);
  const summaries = pointBlock('summaries', batch.summaries, (column) => [
    column('quantiles', 'Array(Float64)', ({ row }) => row.quantiles),
    column('quantile_values', 'Array(Float64)', ({ row }) => row.quantileValues),
  ]);
  const exemplar = columnOf(batch.exemplars);
  const exemplars: Block = {
    table: 'exemplars',
    rows: batch.exemplars.length,
    columns: [
      exemplar('tenant', 'UInt32', (item) => item.tenant),
      exemplar('series', 'UInt64', ({ row }) => row.series.id),
      exemplar('time', millis, ({ row }) => Math.floor(row.timeMs)),
      exemplar('value', 'Float64', ({ row }) => row.value),
      exemplar('trace_id', 'FixedString(16)', ({ row }) => row.traceId),
      exemplar('span_id', 'FixedString(8)', ({ row }) => row.spanId),
      exemplar('attributes', map, ({ row }) => row.attributes),
      exemplar('retention_days', 'UInt16', (item) => item.retentionDays),
    ],
  };
  const number = columnOf(batch.produced);
  const produced: Block = {
    table: 'produced',
    rows: batch.produced.length,
    columns: [
      number('tenant', 'UInt32', ({ tenant }) => tenant),
      number('signal', 'String', ({ signal }) => signal),
      number('producer', 'String', ({ producer }) => producer),
      number('first', 'UInt64', ({ first }) => first),
      number('count', 'UInt64', ({ count }) => count),
      number('bucket', seconds, ({ hour }) => hour),
      number('accepted', 'UInt64', ({ records }) => records),
      number('anchored', 'UInt8', ({ anchored }) => (anchored ? 1 : 0)),
      number('seq', 'UInt64', ({ seq }) => seq),
      number('partition', 'UInt16', ({ partition }) => partition),
    ],
  };
  return [
    samplesBlock(batch.points),
    produced,
    histograms,
    exponential,
    summaries,
    exemplars,
    spansBlock(batch.spans),
    logsBlock(batch.logs),
    eventsBlock(withVerdict('first')),
    conflictsBlock(withVerdict('conflict')),
    deadLettersBlock(batch.deadLetters),
  ].filter((block) => block.rows > 0);
}
