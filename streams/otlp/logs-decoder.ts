import { readAnyValue, readKeyValue, readString, type StringCache } from './attribute-reader.ts';
import { ByteHash } from './byte-hash.ts';
import { findPart, type MessagePart, readPart } from './message-part.ts';
import type { LogRow, TimeBounds } from './port.ts';
import { noSpanId, noTraceId, readAttributes, readId, readScope, type ScopeParts } from './resource-reader.ts';
import { refusalOfTime } from './time-bounds.ts';
import { WireReader } from './wire-reader.ts';

/**
 * Decodes `ExportLogsServiceRequest` bytes into rows. Records outside `bounds` are left out, as the door counted them.
 *
 * *Shape* request → resource_logs 1 { resource 1, scope_logs 2 { scope 1, log_records 2, schema_url 3 }, schema_url 3 }.
 * A row's `hash` covers the bytes of record, resource and scope, and the record's number among equal ones of this payload, and the part of the request that it is: the same bytes sent again give the same hashes.
 */
export function decodeLogs(payload: Uint8Array, bounds: TimeBounds, strings: StringCache, part: number): LogRow[] {
  const decoder = new LogsReader(payload, bounds, strings, part);
  return decoder.read();
}

interface LogContext {
  readonly serviceName: string;
  readonly resourceSchemaUrl: string;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly scopeSchemaUrl: string;
  readonly scope: ScopeParts;
}

class LogsReader {
  readonly #reader: WireReader;
  readonly #bounds: TimeBounds;
  readonly #strings: StringCache;
  readonly #part: number;
  readonly #rows: LogRow[] = [];
  readonly #equal = new Map<string, number>();
  readonly #hash = new ByteHash();

  constructor(payload: Uint8Array, bounds: TimeBounds, strings: StringCache, part: number) {
    this.#part = part;
    this.#reader = new WireReader(payload);
    this.#bounds = bounds;
    this.#strings = strings;
  }

  read(): LogRow[] {
    const reader = this.#reader;
    while (reader.pos < reader.length) {
      const tag = reader.tag(reader.length);
      if (tag === 0x0a) this.#resourceLogs(reader.limit(reader.length));
      else reader.skip(tag, reader.length);
    }
    return this.#rows;
  }

  #resourceLogs(end: number): void {
    const reader = this.#reader;
    const strings = this.#strings;
    const resource = findPart(reader, reader.pos, end, 0x0a);
    const resourceAttributes = readPart(resource, (from, to) => readAttributes(from, to, 0x0a, strings));
    const serviceName = resourceAttributes.get('service.name') ?? '';
    const resourceSchemaUrl = this.#schemaUrl(end);
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag !== 0x12) {
        reader.skip(tag, end);
        continue;
      }
      const limit = reader.limit(end);
      const scopePart = findPart(reader, reader.pos, limit, 0x0a);
      const scope = readPart(scopePart, (from, to) => readScope(from, to, strings));
      const scopeSchemaUrl = this.#schemaUrl(limit);
      const context = { serviceName, resourceSchemaUrl, resourceAttributes, scopeSchemaUrl, scope };
      while (reader.pos < limit) {
        const inner = reader.tag(limit);
        if (inner === 0x12) this.#record(reader.limit(limit), context, resource, scopePart);
        else reader.skip(inner, limit);
      }
    }
  }

  /** Field 3 of resource_logs and scope_logs, looked up ahead. */
  #schemaUrl(end: number): string {
    const url = findPart(this.#reader, this.#reader.pos, end, 0x1a);
    return this.#strings.read(url.reader, url.start, url.end);
  }

  /**
   * *Shape* `LogRecord { time = 1 fixed64; severity_number = 2; severity_text = 3; body = 5; attributes = 6; dropped_attributes = 7; flags = 8 fixed32; trace_id = 9; span_id = 10; observed_time = 11 fixed64; event_name = 12 }`
   */
  #record(end: number, context: LogContext, resource: MessagePart, scope: MessagePart): void {
    const reader = this.#reader;
    const strings = this.#strings;
    const start = reader.pos;
    let timeMs = 0;
    let timeNs = 0n;
    let observedMs = 0;
    let observedNs = 0n;
    let severityNumber = 0;
    let severityText = '';
    let body = '';
    let traceFlags = 0;
    let traceId: Uint8Array = noTraceId;
    let spanId: Uint8Array = noSpanId;
    let eventName = '';
    let droppedAttributes = 0;
    const attributes = new Map<string, string>();
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x09) {
        reader.fixed64(end);
        timeMs = reader.millis();
        timeNs = reader.unsigned();
      } else if (tag === 0x59) {
        reader.fixed64(end);
        observedMs = reader.millis();
        observedNs = reader.unsigned();
      } else if (tag === 0x10) severityNumber = reader.varint32(end);
      else if (tag === 0x1a) severityText = readString(reader, end, strings);
      else if (tag === 0x2a) body = readAnyValue(reader, reader.limit(end), strings);
      else if (tag === 0x32) readKeyValue(reader, reader.limit(end), strings, attributes);
      else if (tag === 0x38) droppedAttributes = reader.varint32(end);
      else if (tag === 0x45) traceFlags = reader.fixed32(end) & 0xff;
      else if (tag === 0x4a) traceId = readId(reader, end, noTraceId);
      else if (tag === 0x52) spanId = readId(reader, end, noSpanId);
      else if (tag === 0x62) eventName = readString(reader, end, strings);
      else reader.skip(tag, end);
    }
    const isTimed = timeNs !== 0n;
    if (refusalOfTime(isTimed ? timeMs : observedMs, this.#bounds) !== null) return;
    this.#rows.push({
      timeNs: isTimed ? timeNs : observedNs,
      observedNs,
      traceId,
      spanId,
      traceFlags,
      severityText,
      severityNumber: severityNumber <= 255 ? severityNumber : 0,
      serviceName: context.serviceName,
      body,
      resourceSchemaUrl: context.resourceSchemaUrl,
      resourceAttributes: context.resourceAttributes,
      scopeSchemaUrl: context.scopeSchemaUrl,
      scopeName: context.scope.name,
      scopeVersion: context.scope.version,
      scopeAttributes: context.scope.attributes,
      attributes,
      eventName,
      droppedAttributes,
      hash: this.#identity(start, end, resource, scope),
    });
  }

  #identity(start: number, end: number, resource: MessagePart, scope: MessagePart): bigint {
    const hash = this.#hash;
    hash.seed(0x9e3779b9, 0x7f4a7c15, 0x6a09e667, 0x3c6ef372);
    hash.range(resource.reader.view, resource.start, resource.end);
    hash.range(scope.reader.view, scope.start, scope.end);
    hash.range(this.#reader.view, start, end);
    const key = `${hash.h1}.${hash.h2}.${hash.h3}.${hash.h4}`;
    const ordinal = this.#equal.get(key) ?? 0;
    this.#equal.set(key, ordinal + 1);
    hash.number(ordinal);
    hash.number(this.#part);
    return (BigInt(hash.h1 >>> 0) << 32n) | BigInt(hash.h2 >>> 0);
  }
}
