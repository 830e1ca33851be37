import { randomBytes } from 'node:crypto';
import type { HourCount } from '../log/envelope.ts';
import { StringCache } from './attribute-reader.ts';
import type { OtlpSignal, ScanResult, ScanRules, TimeBounds } from './port.ts';
import { countElements, RecordFacts, refusalOfRecord } from './record-facts.ts';
import { readAttributes } from './resource-reader.ts';
import {
  anyValue,
  exponentialHistogramDataPoint,
  type Field,
  type FieldType,
  histogramDataPoint,
  keyValue,
  keyValueList,
  logRecord,
  type MessageType,
  metric,
  numberDataPoint,
  requestTypes,
  resource,
  span,
} from './schema.ts';
import { avalanche, TextHash } from './text-hash.ts';
import type { RejectReason } from './time-bounds.ts';
import { malformed, maxDepth, WireReader } from './wire-reader.ts';

/**
 * Validates a whole payload (structure, wire types, UTF-8, depth) and counts its records without building rows. Whatever passes here, the decoder accepts, record for record; records beyond `rules`, which the decoder does not know, are to be cut out first.
 *
 * *Units* hours are UTC, seconds since the epoch; `records` and `hours` count what is accepted, `rejected` the rest.
 * *Errors* `otlp.malformed` (not retryable) with the byte offset.
 */
export function scanOtlp(
  signal: OtlpSignal,
  payload: Uint8Array,
  bounds: TimeBounds,
  rules: ScanRules = {},
): ScanResult {
  const scan = new Scan(payload, bounds, rules);
  scan.run(requestTypes[signal]);
  return scan.result();
}

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

/** How the records inside a message stand: a metric without a name has its points rejected; a metric whose data was sent twice in different kinds keeps the last, and the points of the others do not exist. */
type Standing = 'counted' | 'unnamed' | 'replaced';

/** Whether a field of a metric is one of its `data` oneof. */
const isKind = (field: number): boolean => field >= 5 && field <= 11 && metric.byNumber[field] !== undefined;

/** Another start of the hash in every process: what collides in one does not in the next. */
const seeds = new Int32Array(new Uint8Array(randomBytes(8)).buffer);
const newHash = () => new TextHash(seeds[0] ?? 1, seeds[1] ?? 2);

class Scan {
  readonly #reader: WireReader;
  readonly #bounds: TimeBounds;
  readonly #rules: ScanRules;
  readonly #strings = new StringCache(64);
  readonly #hours = new Map<number, number>();
  readonly #rejected = new Map<string, number>();
  readonly #tenantIds = new Set<string>();
  readonly #cut: number[] = [];
  readonly #facts = new RecordFacts();
  readonly #hash = newHash();
  #lastHour = Number.NaN;
  #lastHourRecords = 0;
  #records = 0;
  /** Why the record, scope or resource that is being walked is refused for its attributes. */
  #refusal: RejectReason | null = null;
  /** Sums over the attributes of the message that is being walked: their order does not matter. */
  #sumA = 0;
  #sumB = 0;
  /** Identity of everything above the points: resource, scope, metric. */
  #aboveA = 0;
  #aboveB = 0;

  constructor(payload: Uint8Array, bounds: TimeBounds, rules: ScanRules) {
    this.#reader = new WireReader(payload);
    this.#bounds = bounds;
    this.#rules = rules;
  }

  /** Request → resource list 1 → { resource 1, scope list 2 → { scope 1, records or metrics 2 } }: one shape for the three signals. */
  run(type: MessageType): void {
    const { length } = this.#reader;
    this.#fields(type, length, (list, limit) => {
      this.#under(list, limit, (scopes, scopesEnd) =>
        this.#under(scopes, scopesEnd, (item, end) => this.#item(item, end)),
      );
    });
  }

  result(): ScanResult {
    this.#endHour();
    const hours: HourCount[] = [...this.#hours]
      .sort(([a], [b]) => a - b)
      .map(([hour, records]) => ({ hour: hour * 3600, records }));
    return {
      records: this.#records,
      hours,
      rejected: this.#rejected,
      tenantIds: [...this.#tenantIds],
      cut: this.#cut,
    };
  }

  /** Walks a message whose field 1 stands above its fields 2: field 1 first, wherever it comes. */
  #under(type: MessageType, end: number, child: (type: MessageType, end: number) => void): void {
    const reader = this.#reader;
    const start = reader.pos;
    const outer = this.#refusal;
    const [outerA, outerB] = [this.#aboveA, this.#aboveB];
    const head = type.byNumber[1]?.type as MessageType;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag !== 0x0a) {
        reader.skip(tag, end);
        continue;
      }
      const limit = reader.limit(end);
      const at = reader.pos;
      this.#sumA = 0;
      this.#sumB = 0;
      this.#message(head, limit, 0, null);
      if (head === resource) this.#tenantOf(at, limit);
      // Of a scope the name and version count too; its attributes in their order, because few scopes have any.
      else this.#hashRange(at, limit);
      reader.pos = limit;
      this.#aboveA = avalanche(this.#aboveA + this.#sumA + 1);
      this.#aboveB = avalanche(this.#aboveB + this.#sumB + 1);
    }
    reader.pos = start;
    this.#fields(type, end, (found, limit) => {
      if (found === head) reader.pos = limit;
      else child(found, limit);
    });
    this.#refusal = outer;
    this.#aboveA = outerA;
    this.#aboveB = outerB;
  }

  #hashRange(start: number, end: number): void {
    const hash = this.#hash;
    hash.start();
    hash.range(this.#reader.view, start, end);
    this.#sumA = hash.a;
    this.#sumB = hash.b;
  }

  /** Walks the fields of a message; message fields go to `child`. */
  #fields(type: MessageType, end: number, child: (type: MessageType, end: number) => void): void {
    const reader = this.#reader;
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      const field = type.byNumber[tag >>> 3];
      if (field === undefined) reader.skip(tag, end);
      else if (typeof field.type === 'string') this.#scalar(type, field, tag, at, end, null);
      else {
        if ((tag & 7) !== 2) throw wrongType(type, field, at);
        child(field.type, reader.limit(end));
      }
    }
  }

  #item(type: MessageType, end: number): void {
    if (type === metric) this.#metric(end);
    else this.#record(type, end, 'counted');
  }

  #metric(end: number): void {
    const reader = this.#reader;
    const [outerA, outerB] = [this.#aboveA, this.#aboveB];
    const kept = this.#metricHead(end);
    const standing = this.#isNamed ? 'counted' : 'unnamed';
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      const field = metric.byNumber[tag >>> 3];
      if (field === undefined || typeof field.type === 'string' || !isKind(field.number)) {
        this.#field(metric, tag, at, end, 0, null);
        continue;
      }
      if ((tag & 7) !== 2) throw wrongType(metric, field, at);
      const limit = reader.limit(end);
      const points = field.type.byNumber[1]?.type as MessageType;
      const own = field.number === kept ? standing : 'replaced';
      this.#fields(field.type, limit, (_type, pointEnd) => this.#record(points, pointEnd, own));
    }
    this.#aboveA = outerA;
    this.#aboveB = outerB;
  }

  #isNamed = false;

  /** Looks at a metric before its points: whether it has a name, which kind its points are of (the last of the `data` oneof replaces those before it), and what its series have in common. */
  #metricHead(end: number): number {
    const reader = this.#reader;
    const hash = this.#hash;
    const back = reader.pos;
    let kind = 0;
    let flags = 0;
    this.#isNamed = false;
    hash.start();
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if ((tag & 7) !== 2) {
        reader.skip(tag, end);
        continue;
      }
      const limit = reader.limit(end);
      const field = tag >>> 3;
      if (field === 1) this.#isNamed = limit > reader.pos;
      if (field === 1 || field === 3) hash.range(reader.view, reader.pos, limit);
      else if (isKind(field)) {
        if (field !== kind) flags = 0;
        kind = field;
        if (field !== 5 && field !== 11) flags = this.#sumFlags(limit, flags);
      }
      reader.pos = limit;
    }
    reader.pos = back;
    hash.number(kind * 64 + flags);
    this.#aboveA = avalanche(this.#aboveA ^ hash.a);
    this.#aboveB = avalanche(this.#aboveB ^ hash.b);
    return kind;
  }

  /** Temporality and monotonicity of a data message, which come behind its points. */
  #sumFlags(end: number, before: number): number {
    const reader = this.#reader;
    let flags = before;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x10) flags = (flags & 8) | (reader.varint32(end) & 7);
      else if (tag === 0x18) flags = (flags & 7) | (reader.varint32(end) === 0 ? 0 : 8);
      else reader.skip(tag, end);
    }
    return flags;
  }

  /** Walks one message; `facts` belong to the record that this message is, if it is one. */
  #message(type: MessageType, end: number, depth: number, facts: RecordFacts | null): void {
    const reader = this.#reader;
    if (depth > maxDepth) throw malformed(`values nest deeper than ${maxDepth}`, reader.pos);
    let attributes = 0;
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      if (type.byNumber[tag >>> 3]?.type === keyValue && type !== keyValueList && (tag & 7) === 2) {
        attributes++;
        this.#attribute(reader.limit(end), depth);
      } else this.#field(type, tag, at, end, depth, facts);
    }
    this.#checkCount(attributes);
  }

  /** Walks one field whose tag has been read. */
  #field(type: MessageType, tag: number, at: number, end: number, depth: number, facts: RecordFacts | null): void {
    const field = type.byNumber[tag >>> 3];
    if (field === undefined) this.#reader.skip(tag, end);
    else if (typeof field.type === 'string') this.#scalar(type, field, tag, at, end, facts);
    else {
      if ((tag & 7) !== 2) throw wrongType(type, field, at);
      const [a, b] = [this.#sumA, this.#sumB];
      this.#message(field.type, this.#reader.limit(end), type === anyValue ? depth + 1 : depth, null);
      // Attributes of an exemplar are no part of its series.
      this.#sumA = a;
      this.#sumB = b;
    }
  }

  /** Validates one attribute, checks its lengths and adds its hash to the sums. *Shape* `KeyValue { string key = 1; AnyValue value = 2; }` */
  #attribute(end: number, depth: number): void {
    const reader = this.#reader;
    const hash = this.#hash;
    const { attributes } = this.#rules;
    hash.start();
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      if (tag === 0x0a) {
        const limit = reader.limit(end);
        if (attributes !== undefined && limit - reader.pos > attributes.nameBytes)
          this.#refusal ??= 'attribute_too_long';
        this.#text(limit);
      } else if (tag === 0x12) {
        const limit = reader.limit(end);
        const start = reader.pos;
        // A string alone, the usual value; everything else is walked and hashed as it stands.
        if (start < limit && reader.view.getUint8(start) === 0x0a) {
          reader.pos = start + 1;
          const textEnd = reader.limit(limit);
          if (textEnd === limit) {
            if (attributes !== undefined && textEnd - reader.pos > attributes.valueBytes)
              this.#refusal ??= 'attribute_too_long';
            hash.number(0x0a);
            this.#text(textEnd);
            continue;
          }
        }
        reader.pos = start;
        if (attributes !== undefined && limit - start > attributes.valueBytes) this.#refusal ??= 'attribute_too_long';
        hash.range(reader.view, start, limit);
        const [a, b] = [hash.a, hash.b];
        this.#message(anyValue, limit, depth, null);
        hash.a = a;
        hash.b = b;
      } else this.#field(keyValue, tag, at, end, depth, null);
    }
    this.#sumA = (this.#sumA + avalanche(hash.a)) | 0;
    this.#sumB = (this.#sumB + avalanche(hash.b)) | 0;
  }

  /** Hashes a text and refuses it when it is not UTF-8. */
  #text(limit: number): void {
    const reader = this.#reader;
    const hash = this.#hash;
    hash.isAscii = true;
    hash.range(reader.view, reader.pos, limit);
    if (!hash.isAscii) reader.text(reader.pos, limit);
    reader.pos = limit;
  }

  #checkCount(attributes: number): void {
    const limits = this.#rules.attributes;
    if (limits !== undefined && attributes > limits.perRecord) this.#refusal ??= 'too_many_attributes';
  }

  #record(type: MessageType, end: number, standing: Standing): void {
    const start = this.#reader.pos;
    const facts = this.#facts;
    const inherited = this.#refusal;
    facts.reset();
    this.#sumA = 0;
    this.#sumB = 0;
    if (type === numberDataPoint) this.#numberPoint(end, facts);
    else this.#message(type, end, 0, facts);
    const own = this.#refusal;
    this.#refusal = inherited;
    if (standing === 'replaced') return;
    const timeMs = type === logRecord && !facts.isTimed ? facts.observedMs : facts.timeMs;
    const refusal = standing === 'unnamed' ? 'unnamed_metric' : refusalOfRecord(type, timeMs, facts, this.#bounds);
    if (refusal !== null) {
      this.#reject(refusal);
      return;
    }
    // Only now, because the decoder refuses the others by itself: these have to be cut out.
    const limited = own ?? (type === span || type === logRecord ? null : this.#judge(facts));
    if (limited !== null) {
      this.#reject(limited);
      this.#cut.push(start);
      return;
    }
    const hour = Math.floor(timeMs / 3_600_000);
    if (hour !== this.#lastHour) this.#endHour();
    this.#lastHour = hour;
    this.#lastHourRecords++;
    this.#records++;
  }

  #judge(facts: RecordFacts): RejectReason | null {
    const { series } = this.#rules;
    if (series === undefined) return null;
    const h1 = avalanche(this.#aboveA ^ (this.#sumA + facts.boundsHash));
    const h2 = avalanche(this.#aboveB + Math.imul(this.#sumB ^ facts.boundsHash, 0x9e3779b1));
    return series.judge(h1, h2);
  }

  #reject(reason: RejectReason): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
  }

  #endHour(): void {
    if (this.#lastHourRecords === 0) return;
    this.#hours.set(this.#lastHour, (this.#hours.get(this.#lastHour) ?? 0) + this.#lastHourRecords);
    this.#lastHourRecords = 0;
  }

  /** The point that nearly all points are, without a look into the schema. *Shape* `NumberDataPoint { start = 2; time = 3; as_double = 4; exemplars = 5; as_int = 6; attributes = 7; flags = 8 }` */
  #numberPoint(end: number, facts: RecordFacts): void {
    const reader = this.#reader;
    const run = this.#run;
    let attributes = 0;
    let runStart = 0;
    let runEnd = 0;
    while (reader.pos < end) {
      const at = reader.pos;
      const tag = reader.tag(end);
      switch (tag) {
        case 0x11:
        case 0x21:
        case 0x31:
          reader.fixed64(end);
          break;
        case 0x19:
          reader.fixed64(end);
          facts.timeMs = reader.millis();
          break;
        case 0x3a:
          if (attributes === 0 && this.#repeatsRun(at, end)) {
            attributes = run.attributes;
            runStart = at;
            runEnd = reader.pos;
            break;
          }
          if (attributes === 0) runStart = at;
          else if (at !== runEnd) runStart = -1;
          attributes++;
          this.#attribute(reader.limit(end), 0);
          runEnd = reader.pos;
          break;
        case 0x40:
          reader.varint32(end);
          break;
        default:
          this.#field(numberDataPoint, tag, at, end, 0, facts);
      }
    }
    this.#checkCount(attributes);
    // Attributes that pass and stand together are what the next point is compared with.
    const isUsable = attributes > 0 && runStart >= 0 && this.#refusal === null;
    run.start = isUsable ? runStart : 0;
    run.end = isUsable ? runEnd : 0;
    run.attributes = attributes;
    run.sumA = this.#sumA;
    run.sumB = this.#sumB;
  }

  /** The attributes of the number point before: points of one series often follow each other, and the same bytes need not be looked at twice. */
  readonly #run = { start: 0, end: 0, attributes: 0, sumA: 0, sumB: 0 };

  /** Passes over attributes that are byte for byte those of the point before, and takes their hash from there. */
  #repeatsRun(at: number, end: number): boolean {
    const reader = this.#reader;
    const run = this.#run;
    const length = run.end - run.start;
    if (length === 0 || at + length > end || !reader.isSame(at, run.start, length)) return false;
    reader.pos = at + length;
    this.#sumA = run.sumA;
    this.#sumB = run.sumB;
    return true;
  }

  #scalar(type: MessageType, field: Field, tag: number, at: number, end: number, facts: RecordFacts | null): void {
    const reader = this.#reader;
    const wire = tag & 7;
    const expected = wireTypeOf(field.type);
    if (wire !== expected) {
      if (wire !== 2 || !field.repeated) throw wrongType(type, field, at);
      const limit = reader.limit(end);
      const start = reader.pos;
      const elements = this.#packed(expected, limit, at);
      if (facts !== null) countElements(type, field, elements, facts);
      if (facts !== null && type === histogramDataPoint && field.number === 7) this.#hashBounds(start, limit, facts);
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
      const start = reader.pos;
      if (facts !== null && type === exponentialHistogramDataPoint && field.number === 6) {
        facts.scale = reader.sint32(end);
        return;
      }
      reader.skip(tag, end);
      if (facts === null || !field.repeated) return;
      countElements(type, field, 1, facts);
      if (type === histogramDataPoint && field.number === 7) this.#hashBounds(start, reader.pos, facts);
    }
  }

  #hashBounds(start: number, end: number, facts: RecordFacts): void {
    const hash = this.#hash;
    hash.start();
    hash.number(facts.boundsHash);
    hash.range(this.#reader.view, start, end);
    facts.boundsHash = avalanche(hash.a ^ hash.b);
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

  #tenantOf(start: number, end: number): void {
    const reader = this.#reader;
    reader.pos = start;
    const tenant = readAttributes(reader, end, 0x0a, this.#strings).get('dotmac.tenant.id');
    if (tenant !== undefined) this.#tenantIds.add(tenant);
  }
}

function wrongType(type: MessageType, field: Field, at: number): Error {
  return malformed(`${type.name}.${field.name} has another wire type than its schema`, at);
}
