import { malformed, maxDepth, type WireReader } from './wire-reader.ts';

const internedBytes = 64;

/** Strings that come again and again (attribute names, service names), decoded once. *Shape* direct-mapped, ASCII up to 64 bytes: bounded whatever comes in. */
export class StringCache {
  readonly #texts: string[];
  readonly #mask: number;

  /** `slots` is a power of two. */
  constructor(slots = 8192) {
    this.#texts = new Array<string>(slots).fill('');
    this.#mask = slots - 1;
  }

  read(reader: WireReader, start: number, end: number): string {
    const length = end - start;
    if (length === 0) return '';
    if (length > internedBytes) return reader.text(start, end);
    const { view } = reader;
    let hash = length;
    let seen = 0;
    for (let pos = start; pos < end; pos++) {
      const byte = view.getUint8(pos);
      seen |= byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    if (seen >= 0x80) return reader.text(start, end);
    const slot = (hash ^ (hash >>> 15)) & this.#mask;
    const candidate = this.#texts[slot] ?? '';
    if (candidate.length === length && isSame(candidate, view, start)) return candidate;
    const text = reader.text(start, end);
    this.#texts[slot] = text;
    return text;
  }
}

function isSame(text: string, view: DataView, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== view.getUint8(start + i)) return false;
  return true;
}

/** Reads a length-delimited string field whose tag has been read. */
export function readString(reader: WireReader, end: number, strings: StringCache): string {
  const limit = reader.limit(end);
  const text = strings.read(reader, reader.pos, limit);
  reader.pos = limit;
  return text;
}

/**
 * Reads one `KeyValue` (its length has been read, it ends at `end`) into `into`; of equal keys the last one wins.
 *
 * *Shape* `KeyValue { string key = 1; AnyValue value = 2; }`
 */
export function readKeyValue(reader: WireReader, end: number, strings: StringCache, into: Map<string, string>): void {
  readEntry(reader, end, strings, into, false, 0);
}

function readEntry(
  reader: WireReader,
  end: number,
  strings: StringCache,
  into: Map<string, string>,
  json: boolean,
  depth: number,
): void {
  let key = '';
  let value = json ? 'null' : '';
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) key = readString(reader, end, strings);
    else if (tag === 0x12) {
      const limit = reader.limit(end);
      value = readAnyValue(reader, limit, strings, json, depth);
    } else reader.skip(tag, end);
  }
  into.set(key, value);
}

/**
 * Reads an `AnyValue` that ends at `end` as text: strings as they are, numbers plain, booleans `true` and `false`, arrays and maps as JSON, bytes as base64, nothing as the empty string.
 *
 * *Shape* `AnyValue { oneof { string = 1; bool = 2; int64 = 3; double = 4; ArrayValue = 5; KeyValueList = 6; bytes = 7; } }`; `json` quotes strings, for values inside arrays and maps.
 */
export function readAnyValue(reader: WireReader, end: number, strings: StringCache, json = false, depth = 0): string {
  if (depth > maxDepth) throw malformed(`values nest deeper than ${maxDepth}`, reader.pos);
  let text = json ? 'null' : '';
  while (reader.pos < end) {
    const tag = reader.tag(end);
    switch (tag) {
      case 0x0a: {
        const value = readString(reader, end, strings);
        text = json ? JSON.stringify(value) : value;
        break;
      }
      case 0x10:
        text = reader.varint32(end) === 0 && reader.high === 0 ? 'false' : 'true';
        break;
      case 0x18:
        reader.varint64(end);
        text = reader.signedText();
        break;
      case 0x21: {
        const value = reader.double(end);
        text = json && !Number.isFinite(value) ? `"${value}"` : String(value);
        break;
      }
      case 0x2a:
        text = readArray(reader, reader.limit(end), strings, depth + 1);
        break;
      case 0x32:
        text = readMap(reader, reader.limit(end), strings, depth + 1);
        break;
      case 0x3a: {
        const limit = reader.limit(end);
        const base64 = Buffer.from(reader.slice(reader.pos, limit)).toString('base64');
        text = json ? `"${base64}"` : base64;
        reader.pos = limit;
        break;
      }
      default:
        reader.skip(tag, end);
    }
  }
  return text;
}

/** *Shape* `ArrayValue { repeated AnyValue values = 1; }` */
function readArray(reader: WireReader, end: number, strings: StringCache, depth: number): string {
  const values: string[] = [];
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) values.push(readAnyValue(reader, reader.limit(end), strings, true, depth));
    else reader.skip(tag, end);
  }
  return `[${values.join(',')}]`;
}

/** *Shape* `KeyValueList { repeated KeyValue values = 1; }` */
function readMap(reader: WireReader, end: number, strings: StringCache, depth: number): string {
  const values = new Map<string, string>();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) readEntry(reader, reader.limit(end), strings, values, true, depth);
    else reader.skip(tag, end);
  }
  return `{${[...values].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}
