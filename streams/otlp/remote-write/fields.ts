import { malformed, type WireReader } from '../wire-reader.ts';
import { elementBytes, type MeteredReader } from './metered-reader.ts';

/** The stale marker: a NaN with these bits. *Source* remote-write 1.0 and 2.0, "Stale Markers". */
export const staleNan = { high: 0x7ff00000, low: 2 } as const;

/** Refuses a known field that came with another wire type than its schema: passing over it would acknowledge a value that was not read. */
export function expectWire(reader: WireReader, tag: number, wire: number): void {
  if ((tag & 7) !== wire) throw malformed(`field ${tag >>> 3} has another wire type than its schema`, reader.pos);
}

/** Reads `int64`: milliseconds and the like, exact within ±2^53. */
export function readInt64(reader: WireReader, tag: number, end: number): number {
  expectWire(reader, tag, 0);
  reader.varint64(end);
  return reader.signedNumber();
}

/** Reads `uint32` or an enum. */
export function readUint32(reader: WireReader, tag: number, end: number): number {
  expectWire(reader, tag, 0);
  return reader.varint32(end);
}

/** Reads `sint32`. */
export function readSint32(reader: WireReader, tag: number, end: number): number {
  expectWire(reader, tag, 0);
  return reader.sint32(end);
}

/** Reads `uint64`, rounded to the nearest double beyond 2^53. */
export function readUint64(reader: WireReader, tag: number, end: number): number {
  expectWire(reader, tag, 0);
  return uint64(reader, end);
}

function uint64(reader: WireReader, end: number): number {
  reader.varint64(end);
  return (reader.high >>> 0) * 4294967296 + (reader.low >>> 0);
}

/** A `sint64` in zigzag form, rounded beyond 2^53: 0, -1, 1, -2, … */
function sint64(reader: WireReader, end: number): number {
  const zigzag = uint64(reader, end);
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}

export function readDouble(reader: WireReader, tag: number, end: number): number {
  expectWire(reader, tag, 1);
  return reader.double(end);
}

/** Reads a double; afterwards {@link isStaleMarker} tells whether its bits are the stale marker. */
export function readMarkedDouble(reader: WireReader, tag: number, end: number): number {
  expectWire(reader, tag, 1);
  reader.fixed64(end);
  return reader.view.getFloat64(reader.pos - 8, true);
}

/** Whether the double just read by {@link readMarkedDouble} is the stale marker. Compared by bits: a NaN may lose its payload as a number. */
export const isStaleMarker = (reader: WireReader): boolean =>
  reader.high === staleNan.high && reader.low === staleNan.low;

/** Gives the offset where a nested message or string ends. */
export function readLimit(reader: WireReader, tag: number, end: number): number {
  expectWire(reader, tag, 2);
  return reader.limit(end);
}

const readPlainDouble = (reader: WireReader, end: number): number => reader.double(end);
const readPlainUint32 = (reader: WireReader, end: number): number => reader.varint32(end);

/** Reads a repeated scalar field, packed or not, after what `into` holds. */
function readRepeated(
  reader: MeteredReader,
  tag: number,
  end: number,
  wire: number,
  into: number[],
  read: (reader: WireReader, end: number) => number,
): void {
  if ((tag & 7) !== 2) {
    expectWire(reader, tag, wire);
    reader.budget.take(elementBytes.number);
    into.push(read(reader, end));
    return;
  }
  const limit = reader.limit(end);
  const least = wire === 1 ? 8 : 1;
  reader.budget.take(((limit - reader.pos) / least) * elementBytes.number);
  while (reader.pos < limit) into.push(read(reader, limit));
}

export const readDoubles = (reader: MeteredReader, tag: number, end: number, into: number[]): void =>
  readRepeated(reader, tag, end, 1, into, readPlainDouble);
export const readUint32s = (reader: MeteredReader, tag: number, end: number, into: number[]): void =>
  readRepeated(reader, tag, end, 0, into, readPlainUint32);
export const readSint64s = (reader: MeteredReader, tag: number, end: number, into: number[]): void =>
  readRepeated(reader, tag, end, 0, into, sint64);
