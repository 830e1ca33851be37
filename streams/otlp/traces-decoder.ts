import { readKeyValue, readString, type StringCache } from './attribute-reader.ts';
import { findPart, readPart } from './message-part.ts';
import type { SpanRow, TimeBounds } from './port.ts';
import { noSpanId, noTraceId, readAttributes, readId, readScope, type ScopeParts } from './resource-reader.ts';
import { refusalOfTime } from './time-bounds.ts';
import { WireReader } from './wire-reader.ts';

/** *Source* trace.proto `SpanKind` and `StatusCode`, spelt as the OpenTelemetry ClickHouse exporter writes them. */
const kinds = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const statusCodes = ['Unset', 'Ok', 'Error'];

/**
 * Decodes `ExportTraceServiceRequest` bytes into rows. Spans outside `bounds` or without valid ids are left out, as the door counted them.
 *
 * *Shape* request → resource_spans 1 { resource 1, scope_spans 2 { scope 1, spans 2, schema_url 3 }, schema_url 3 }. *Bias* a span that ends before it starts has duration 0.
 */
export function decodeTraces(payload: Uint8Array, bounds: TimeBounds, strings: StringCache): SpanRow[] {
  const rows: SpanRow[] = [];
  const reader = new WireReader(payload);
  while (reader.pos < reader.length) {
    const tag = reader.tag(reader.length);
    if (tag === 0x0a) readResourceSpans(reader, reader.limit(reader.length), bounds, strings, rows);
    else reader.skip(tag, reader.length);
  }
  return rows;
}

interface SpanContext {
  readonly serviceName: string;
  readonly resourceSchemaUrl: string;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly scopeSchemaUrl: string;
  readonly scope: ScopeParts;
}

function readResourceSpans(
  reader: WireReader,
  end: number,
  bounds: TimeBounds,
  strings: StringCache,
  rows: SpanRow[],
): void {
  const resourceAttributes = readPart(findPart(reader, reader.pos, end, 0x0a), (from, limit) =>
    readAttributes(from, limit, 0x0a, strings),
  );
  const serviceName = resourceAttributes.get('service.name') ?? '';
  const resourceSchemaUrl = schemaUrlAhead(reader, end, strings);
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag !== 0x12) {
      reader.skip(tag, end);
      continue;
    }
    const limit = reader.limit(end);
    const scope = readPart(findPart(reader, reader.pos, limit, 0x0a), (from, to) => readScope(from, to, strings));
    const scopeSchemaUrl = schemaUrlAhead(reader, limit, strings);
    const context = { serviceName, resourceSchemaUrl, resourceAttributes, scopeSchemaUrl, scope };
    while (reader.pos < limit) {
      const inner = reader.tag(limit);
      if (inner === 0x12) {
        const row = readSpan(reader, reader.limit(limit), bounds, strings, context);
        if (row !== null) rows.push(row);
      } else reader.skip(inner, limit);
    }
  }
}

/** Field 3 of resource_spans and scope_spans, looked up ahead. */
function schemaUrlAhead(reader: WireReader, end: number, strings: StringCache): string {
  const url = findPart(reader, reader.pos, end, 0x1a);
  return strings.read(url.reader, url.start, url.end);
}

/** Whether an id may identify a span: the right length and not all zero. *Source* trace.proto, Span.trace_id. */
export const isId = (id: Uint8Array, length: number): boolean => id.length === length && id.some((byte) => byte !== 0);

/**
 * *Shape* `Span { trace_id = 1; span_id = 2; trace_state = 3; parent_span_id = 4; name = 5; kind = 6; start = 7 fixed64; end = 8 fixed64; attributes = 9; dropped_attributes = 10; events = 11; dropped_events = 12;
 * links = 13; dropped_links = 14; status = 15; flags = 16 fixed32 }`
 */
function readSpan(
  reader: WireReader,
  end: number,
  bounds: TimeBounds,
  strings: StringCache,
  context: SpanContext,
): SpanRow | null {
  let traceId: Uint8Array = noTraceId;
  let spanId: Uint8Array = noSpanId;
  let parentSpanId: Uint8Array = noSpanId;
  let traceState = '';
  let name = '';
  let kind = 0;
  let startMs = 0;
  let startNs = 0n;
  let endNs = 0n;
  let status = { code: 0, message: '' };
  let flags = 0;
  let droppedAttributes = 0;
  let droppedEvents = 0;
  let droppedLinks = 0;
  const attributes = new Map<string, string>();
  const events: SpanRow['events'][number][] = [];
  const links: SpanRow['links'][number][] = [];
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) traceId = readId(reader, end, noTraceId);
    else if (tag === 0x12) spanId = readId(reader, end, noSpanId);
    else if (tag === 0x1a) traceState = readString(reader, end, strings);
    else if (tag === 0x22) parentSpanId = readId(reader, end, noSpanId);
    else if (tag === 0x2a) name = readString(reader, end, strings);
    else if (tag === 0x30) kind = reader.varint32(end);
    else if (tag === 0x39) {
      reader.fixed64(end);
      startMs = reader.millis();
      startNs = reader.unsigned();
    } else if (tag === 0x41) {
      reader.fixed64(end);
      endNs = reader.unsigned();
    } else if (tag === 0x4a) readKeyValue(reader, reader.limit(end), strings, attributes);
    else if (tag === 0x50) droppedAttributes = reader.varint32(end);
    else if (tag === 0x5a) events.push(readEvent(reader, reader.limit(end), strings));
    else if (tag === 0x60) droppedEvents = reader.varint32(end);
    else if (tag === 0x6a) links.push(readLink(reader, reader.limit(end), strings));
    else if (tag === 0x70) droppedLinks = reader.varint32(end);
    else if (tag === 0x85) flags = reader.fixed32(end);
    else if (tag === 0x7a) status = readStatus(reader, reader.limit(end), strings, status);
    else reader.skip(tag, end);
  }
  if (refusalOfTime(startMs, bounds) !== null || !isId(traceId, 16) || !isId(spanId, 8)) return null;
  return {
    timeNs: startNs,
    durationNs: endNs > startNs ? endNs - startNs : 0n,
    traceId,
    spanId,
    parentSpanId,
    traceState,
    name,
    kind: kinds[kind] ?? 'Unspecified',
    serviceName: context.serviceName,
    resourceSchemaUrl: context.resourceSchemaUrl,
    resourceAttributes: context.resourceAttributes,
    scopeSchemaUrl: context.scopeSchemaUrl,
    scopeName: context.scope.name,
    scopeVersion: context.scope.version,
    scopeAttributes: context.scope.attributes,
    attributes,
    flags,
    droppedAttributes,
    droppedEvents,
    droppedLinks,
    statusCode: statusCodes[status.code] ?? 'Unset',
    statusMessage: status.message,
    events,
    links,
  };
}

/** *Shape* `Event { time = 1 fixed64; name = 2; attributes = 3; dropped_attributes = 4 }` */
function readEvent(reader: WireReader, end: number, strings: StringCache): SpanRow['events'][number] {
  let timeNs = 0n;
  let name = '';
  let droppedAttributes = 0;
  const attributes = new Map<string, string>();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x09) {
      reader.fixed64(end);
      timeNs = reader.unsigned();
    } else if (tag === 0x12) name = readString(reader, end, strings);
    else if (tag === 0x1a) readKeyValue(reader, reader.limit(end), strings, attributes);
    else if (tag === 0x20) droppedAttributes = reader.varint32(end);
    else reader.skip(tag, end);
  }
  return { timeNs, name, attributes, droppedAttributes };
}

/** *Shape* `Link { trace_id = 1; span_id = 2; trace_state = 3; attributes = 4; dropped_attributes = 5; flags = 6 fixed32 }` */
function readLink(reader: WireReader, end: number, strings: StringCache): SpanRow['links'][number] {
  let traceId = '';
  let spanId = '';
  let traceState = '';
  let droppedAttributes = 0;
  let flags = 0;
  const attributes = new Map<string, string>();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) traceId = Buffer.from(readId(reader, end, noTraceId)).toString('hex');
    else if (tag === 0x12) spanId = Buffer.from(readId(reader, end, noSpanId)).toString('hex');
    else if (tag === 0x1a) traceState = readString(reader, end, strings);
    else if (tag === 0x22) readKeyValue(reader, reader.limit(end), strings, attributes);
    else if (tag === 0x28) droppedAttributes = reader.varint32(end);
    else if (tag === 0x35) flags = reader.fixed32(end);
    else reader.skip(tag, end);
  }
  return { traceId, spanId, traceState, attributes, droppedAttributes, flags };
}

/** *Shape* `Status { message = 2; code = 3 }`; a second piece changes only what it carries. */
function readStatus(
  reader: WireReader,
  end: number,
  strings: StringCache,
  before: { code: number; message: string },
): { code: number; message: string } {
  let { code, message } = before;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x12) message = readString(reader, end, strings);
    else if (tag === 0x18) code = reader.varint32(end);
    else reader.skip(tag, end);
  }
  return { code, message };
}
