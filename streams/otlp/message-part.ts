import { gather } from './point-readers.ts';
import { malformed, WireReader } from './wire-reader.ts';

/** A message inside another: one range of one reader. */
export interface MessagePart {
  readonly reader: WireReader;
  readonly start: number;
  readonly end: number;
}

const absent: MessagePart = { reader: new WireReader(new Uint8Array(0)), start: 0, end: 0 };

/** Finds the message field with `tag` between `start` and `end`; sent in pieces, the joined bytes are its encoding. Leaves the reader where it was. *Source* protobuf encoding, "last one wins" and merging. */
export function findPart(reader: WireReader, start: number, end: number, tag: number): MessagePart {
  const back = reader.pos;
  let pieces = 0;
  let found = absent;
  reader.pos = start;
  while (reader.pos < end) {
    const at = reader.pos;
    const next = reader.tag(end);
    if (next === tag) {
      const limit = reader.limit(end);
      found = { reader, start: reader.pos, end: limit };
      pieces++;
      reader.pos = limit;
    } else if (next >>> 3 === tag >>> 3) throw malformed('a message was expected', at);
    else reader.skip(next, end);
  }
  reader.pos = back;
  if (pieces < 2) return found;
  const joined = new WireReader(gather(reader, start, end, tag, true));
  return { reader: joined, start: 0, end: joined.length };
}

/** Reads a part from its start and puts its reader back where it stood. */
export function readPart<T>(part: MessagePart, read: (reader: WireReader, end: number) => T): T {
  const back = part.reader.pos;
  part.reader.pos = part.start;
  const result = read(part.reader, part.end);
  part.reader.pos = back;
  return result;
}
