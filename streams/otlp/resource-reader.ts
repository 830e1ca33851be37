import { readKeyValue, readString, type StringCache } from './attribute-reader.ts';
import type { WireReader } from './wire-reader.ts';

/** Reads the attribute fields with `tag` of a message that ends at `end`. */
export function readAttributes(
  reader: WireReader,
  end: number,
  tag: number,
  strings: StringCache,
): Map<string, string> {
  const attributes = new Map<string, string>();
  while (reader.pos < end) {
    const found = reader.tag(end);
    if (found === tag) readKeyValue(reader, reader.limit(end), strings, attributes);
    else reader.skip(found, end);
  }
  return attributes;
}

export interface ScopeParts {
  readonly name: string;
  readonly version: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** *Shape* `InstrumentationScope { name = 1; version = 2; attributes = 3; dropped_attributes_count = 4 }` */
export function readScope(reader: WireReader, end: number, strings: StringCache): ScopeParts {
  let name = '';
  let version = '';
  const attributes = new Map<string, string>();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) name = readString(reader, end, strings);
    else if (tag === 0x12) version = readString(reader, end, strings);
    else if (tag === 0x1a) readKeyValue(reader, reader.limit(end), strings, attributes);
    else reader.skip(tag, end);
  }
  return { name, version, attributes };
}

/** Reads an id of the length of `none`, a copy: the payload goes as soon as it is decoded. One of another length is no id. */
export function readId(reader: WireReader, end: number, none: Uint8Array): Uint8Array {
  const limit = reader.limit(end);
  // Not `slice` again: that of a `Buffer` is a view.
  const id = limit - reader.pos === none.length ? new Uint8Array(reader.slice(reader.pos, limit)) : none;
  reader.pos = limit;
  return id;
}

/** "No trace" and "no span", as stored. */
export const noTraceId = new Uint8Array(16);
export const noSpanId = new Uint8Array(8);
