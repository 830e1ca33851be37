import type { HourCount } from '../log/envelope.ts';
import { StringCache } from './attribute-reader.ts';
import { bucketsFit } from './point-readers.ts';
import type { OtlpSignal, ScanResult, TimeBounds } from './port.ts';
import { readAttributes } from './resource-reader.ts';
import {
  anyValue,
  exponentialHistogramDataPoint,
  type Field,
  type FieldType,
  histogramDataPoint,
  logRecord,
  type MessageType,
  metric,
  numberDataPoint,
  requestTypes,
  resource,
  span,
  summaryDataPoint,
} from './schema.ts';
import { type RejectReason, refusalOfTime } from './time-bounds.ts';
import { isId } from './traces-decoder.ts';
import { malformed, maxDepth, WireReader } from './wire-reader.ts';

/**
 * Validates a whole payload (structure, wire types, UTF-8, depth) and counts its records without building rows. Whatever passes here, the decoder accepts, record for record.
 *
 * *Units* hours are UTC, seconds since the epoch; `records` and `hours` count what is accepted, `rejected` the rest.
 * *Errors* `otlp.malformed` (not retryable) with the byte offset.
 */
export function scanOtlp(signal: OtlpSignal, payload: Uint8Array, bounds: TimeBounds): ScanResult {
  const scan = new Scan(payload, bounds);
  scan.run(requestTypes[signal]);
  return scan.result();
}

const recordTypes = new Set<MessageType>([
  numberDataPoint,
  histogramDataPoint,
  exponentialHistogramDataPoint,
  summaryDataPoint,
  span,
  logRecord,
]);

const wireTypes = new Map<FieldType, number>([
  ['bool', 0],
  ['int64', 0],
  ['uint64', 0],
  ['uint32', 0],
  ['enum', 0],
  ['sint32', 0],
  ['fixed64', 1],
  ['sfixed64', 1],
  ['double', 1],
  ['fixed32', 5],
]);

/** Wire type of a field; everything with a length is 2. */
export const wireTypeOf = (type: FieldType): number => wireTypes.get(type) ?? 2;

/** What decides about one record; filled while its message is walked. */
class RecordFacts {
  timeMs = 0;
  observedMs = 0;
  isTimed = false;
  buckets = 0;
  bounds = 0;
  traceId: Uint8Array | null = null;
  spanId: Uint8Array | null = null;
}

/** How the records inside a message stand: a metric without a name has its points rejected; a metric whose data was sent twice in different kinds keeps the last, and the points of the others do not exist. */
type Standing = 'counted' | 'unnamed' | 'replaced';

/** Whether a field of a metric is one of its `data` oneof. */
const isKind = (field: number): boolean => field >= 5 && field <= 11 && metric.byNumber[field] !== undefined;

class Scan {
  readonly #reader: WireReader;
  readonly #bounds: TimeBounds;
  readonly #strings = new StringCache(64);
  readonly #hours = new Map<number, number>();
  readonly #rejected = new Map<string, number>();
  readonly #tenantIds = new Set<string>();
  #records = 0;

  constructor(payload: Uint8Array, bounds: TimeBounds) {
    this.#reader = new WireReader(payload);
    this.#bounds = bounds;
  }

  run(type: MessageType): void {
    this.#message(type, this.#reader.length, 0, 'counted', null);
  }

  result(): ScanResult {
    const hours: HourCount[] = [...this.#hours]
      .sort(([a], [b]) => a - b)
      .map(([hour, records]) => ({ hour: hour * 3600, records }));
    return { records: this.#records, hours, rejected: this.#rejected, tenantIds: [...this.#tenantIds] };
  }

  /** Walks one message; `facts` belong to the record that this message is, if it is one. */
  #message(type: MessageType, end: number, depth: number, standing: Standing, facts: RecordFacts | null): void {
    const reader = this.#reader;
    if (depth > maxDepth) throw malformed(`values nest deeper than ${maxDepth}`, reader.pos);
    const start = reader.pos;
    const kept = type === metric ? this.#lastKind(end) : 0;
    const own = type === metric && !this.#isNamed(end) ? 'unnamed' : standing;
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      const field = type.byNumber[tag >>> 3];
      if (field === undefined) reader.skip(tag, end);
      else if (typeof field.type === 'string') this.#scalar(type, field, tag, at, end, facts);
      else {
        if ((tag & 7) !== 2) throw wrongType(type, field, at);
        const limit = reader.limit(end);
        const isReplaced = kept !== 0 && isKind(field.number) && field.number !== kept;
        const next = isReplaced ? 'replaced' : own;
        if (recordTypes.has(field.type)) this.#record(field.type, limit, depth, next);
        else this.#message(field.type, limit, type === anyValue ? depth + 1 : depth, next, null);
      }
    }
    if (type === resource) this.#tenantOf(start, end);
  }

  #record(type: MessageType, end: number, depth: number, standing: Standing): void {
    const facts = new RecordFacts();
    this.#message(type, end, depth, standing, facts);
    if (standing === 'replaced') return;
    const timeMs = type === logRecord && !facts.isTimed ? facts.observedMs : facts.timeMs;
    const refusal = standing === 'unnamed' ? 'unnamed_metric' : refusalOfRecord(type, timeMs, facts, this.#bounds);
    if (refusal !== null) {
      this.#rejected.set(refusal, (this.#rejected.get(refusal) ?? 0) + 1);
      return;
    }
    const hour = Math.floor(timeMs / 3_600_000);
    this.#hours.set(hour, (this.#hours.get(hour) ?? 0) + 1);
    this.#records++;
  }

  #scalar(type: MessageType, field: Field, tag: number, at: number, end: number, facts: RecordFacts | null): void {
    const reader = this.#reader;
    const wire = tag & 7;
    const expected = wireTypeOf(field.type);
    if (wire !== expected) {
      if (wire !== 2 || !field.repeated) throw wrongType(type, field, at);
      const elements = this.#packed(expected, reader.limit(end), at);
      if (facts !== null) countElements(type, field, elements, facts);
      return;
    }
    if (wire === 2) {
      const limit = reader.limit(end);
      if (field.type === 'string') reader.requireUtf8(reader.pos, limit);
      else if (facts !== null && type === span) {
        if (field.number === 1) facts.traceId = reader.slice(reader.pos, limit);
        else if (field.number === 2) facts.spanId = reader.slice(reader.pos, limit);
      }
      reader.pos = limit;
    } else if (field.type === 'fixed64') {
      reader.fixed64(end);
      if (facts === null) return;
      if (field.repeated) countElements(type, field, 1, facts);
      else if (type === logRecord) {
        if (field.number === 1) {
          facts.timeMs = reader.millis();
          facts.isTimed = reader.low !== 0 || reader.high !== 0;
        } else facts.observedMs = reader.millis();
      } else if (field.number === (type === span ? 7 : 3)) facts.timeMs = reader.millis();
    } else {
      reader.skip(tag, end);
      if (facts !== null && field.repeated) countElements(type, field, 1, facts);
    }
  }

  /** Walks packed values and gives their number. */
  #packed(wire: number, limit: number, at: number): number {
    const reader = this.#reader;
    if (wire === 0) {
      let elements = 0;
      for (; reader.pos < limit; elements++) reader.varint32(limit);
      return elements;
    }
    const width = wire === 1 ? 8 : 4;
    const length = limit - reader.pos;
    if (length % width !== 0) throw malformed('packed values do not fill their length', at);
    reader.pos = limit;
    return length / width;
  }

  /** The number of the last field of the `data` oneof: it replaces those before it. */
  #lastKind(end: number): number {
    let last = 0;
    this.#peek(end, (field, wire) => {
      if (wire === 2 && isKind(field)) last = field;
    });
    return last;
  }

  #isNamed(end: number): boolean {
    let isNamed = false;
    this.#peek(end, (field, wire, length) => {
      if (field === 1 && wire === 2) isNamed = length > 0;
    });
    return isNamed;
  }

  #peek(end: number, visit: (field: number, wire: number, length: number) => void): void {
    const reader = this.#reader;
    const back = reader.pos;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if ((tag & 7) === 2) {
        const limit = reader.limit(end);
        visit(tag >>> 3, 2, limit - reader.pos);
        reader.pos = limit;
      } else reader.skip(tag, end);
    }
    reader.pos = back;
  }

  #tenantOf(start: number, end: number): void {
    const reader = this.#reader;
    reader.pos = start;
    const tenant = readAttributes(reader, end, 0x0a, this.#strings).get('dotmac.tenant.id');
    if (tenant !== undefined) this.#tenantIds.add(tenant);
  }
}

function countElements(type: MessageType, field: Field, elements: number, facts: RecordFacts): void {
  if (type !== histogramDataPoint) return;
  if (field.number === 6) facts.buckets += elements;
  else if (field.number === 7) facts.bounds += elements;
}

function refusalOfRecord(
  type: MessageType,
  timeMs: number,
  facts: RecordFacts,
  bounds: TimeBounds,
): RejectReason | null {
  const refusal = refusalOfTime(timeMs, bounds);
  if (refusal !== null) return refusal;
  if (type === span && !(isId(facts.traceId ?? new Uint8Array(0), 16) && isId(facts.spanId ?? new Uint8Array(0), 8)))
    return 'invalid_ids';
  return type === histogramDataPoint && !bucketsFit(facts.buckets, facts.bounds) ? 'bucket_mismatch' : null;
}

function wrongType(type: MessageType, field: Field, at: number): Error {
  return malformed(`${type.name}.${field.name} has another wire type than its schema`, at);
}
