import { readKeyValue, type StringCache } from './attribute-reader.ts';
import type { ExemplarRow, SeriesEntry } from './port.ts';
import { noSpanId, noTraceId, readId } from './resource-reader.ts';
import type { WireReader } from './wire-reader.ts';

/**
 * Reads one exemplar that ends at `end`.
 *
 * *Shape* `Exemplar { time = 2 fixed64; as_double = 3; span_id = 4; trace_id = 5; as_int = 6 sfixed64; filtered_attributes = 7 }`
 */
export function readExemplar(reader: WireReader, end: number, series: SeriesEntry, strings: StringCache): ExemplarRow {
  let timeMs = 0;
  let value = 0;
  let traceId: Uint8Array = noTraceId;
  let spanId: Uint8Array = noSpanId;
  const attributes = new Map<string, string>();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x11) {
      reader.fixed64(end);
      timeMs = reader.millis();
    } else if (tag === 0x19) value = reader.double(end);
    else if (tag === 0x31) {
      reader.fixed64(end);
      value = reader.signedNumber();
    } else if (tag === 0x22) spanId = readId(reader, end, noSpanId);
    else if (tag === 0x2a) traceId = readId(reader, end, noTraceId);
    else if (tag === 0x3a) readKeyValue(reader, reader.limit(end), strings, attributes);
    else reader.skip(tag, end);
  }
  return { series, timeMs, value, traceId, spanId, attributes };
}
