import { malformed, type WireReader } from './wire-reader.ts';

/** What every kind of point shares, filled by the readers below; one object is used again and again. */
export class PointHeader {
  timeMs = 0;
  startMs = 0;
  flags = 0;
  /** Range of the attribute fields, tags included, when they stand together. */
  attributesStart = 0;
  attributesEnd = 0;
  /** True when other fields stand between the attributes: then the range is not usable. */
  split = false;
  hasExemplars = false;

  reset(): void {
    this.timeMs = 0;
    this.startMs = 0;
    this.flags = 0;
    this.attributesStart = 0;
    this.attributesEnd = 0;
    this.split = false;
    this.hasExemplars = false;
  }

  /** Passes over an attribute whose tag stands at `fieldStart`. */
  attribute(reader: WireReader, fieldStart: number, end: number): void {
    if (this.attributesEnd === 0) this.attributesStart = fieldStart;
    else if (this.attributesEnd !== fieldStart) this.split = true;
    reader.pos = reader.limit(end);
    this.attributesEnd = reader.pos;
  }
}

const noRecordedValue = 1;
const inexact = 2;

export interface NumberPoint {
  value: number;
}

/**
 * Reads a number point: header into `header`, value into `into`.
 *
 * *Shape* `NumberDataPoint { start = 2 fixed64; time = 3 fixed64; as_double = 4; exemplars = 5; as_int = 6 sfixed64; attributes = 7; flags = 8 }`
 */
export function readNumberPoint(reader: WireReader, end: number, header: PointHeader, into: NumberPoint): void {
  header.reset();
  let value = 0;
  let flags = noRecordedValue;
  let sent = 0;
  while (reader.pos < end) {
    const fieldStart = reader.pos;
    const tag = reader.tag(end);
    switch (tag) {
      case 0x3a:
        header.attribute(reader, fieldStart, end);
        break;
      case 0x19:
        reader.fixed64(end);
        header.timeMs = reader.millis();
        break;
      case 0x11:
        reader.fixed64(end);
        header.startMs = reader.millis();
        break;
      case 0x21:
        value = reader.double(end);
        flags = 0;
        break;
      case 0x31:
        reader.fixed64(end);
        value = reader.signedNumber();
        flags = reader.isExact() ? 0 : inexact;
        break;
      case 0x40:
        sent = reader.varint32(end);
        break;
      case 0x2a:
        header.hasExemplars = true;
        reader.skip(tag, end);
        break;
      default:
        reader.skip(tag, end);
    }
  }
  header.flags = flags | (sent & noRecordedValue);
  into.value = value;
}

/** Where the fields of a point kind stand that all kinds have. */
export interface HeaderTags {
  readonly attributes: number;
  readonly start: number;
  readonly time: number;
  readonly flags: number;
  readonly exemplars: number;
}

/** Reads one field of the header if it is one. Gives false, and reads nothing, otherwise. */
function readHeaderField(
  reader: WireReader,
  tag: number,
  fieldStart: number,
  end: number,
  tags: HeaderTags,
  header: PointHeader,
): boolean {
  if (tag === tags.attributes) header.attribute(reader, fieldStart, end);
  else if (tag === tags.time) {
    reader.fixed64(end);
    header.timeMs = reader.millis();
  } else if (tag === tags.start) {
    reader.fixed64(end);
    header.startMs = reader.millis();
  } else if (tag === tags.flags) header.flags = reader.varint32(end) & noRecordedValue;
  else if (tag === tags.exemplars) {
    header.hasExemplars = true;
    reader.skip(tag, end);
  } else return false;
  return true;
}

function readUnsigned(reader: WireReader, end: number): bigint {
  reader.fixed64(end);
  return reader.unsigned();
}

function readPacked<T>(reader: WireReader, end: number, into: T[], read: (reader: WireReader, end: number) => T): void {
  const limit = reader.limit(end);
  while (reader.pos < limit) into.push(read(reader, limit));
}

const readDouble = (reader: WireReader, end: number): number => reader.double(end);
function readVarint(reader: WireReader, end: number): bigint {
  reader.varint64(end);
  return reader.unsigned();
}

export interface HistogramPoint {
  readonly count: bigint;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly bucketCounts: bigint[];
  readonly bounds: number[];
}

export const histogramTags: HeaderTags = { attributes: 0x4a, start: 0x11, time: 0x19, flags: 0x50, exemplars: 0x42 };

/**
 * Reads a histogram point; `sum`, `min` and `max` are NaN when not sent.
 *
 * *Shape* `HistogramDataPoint { start = 2; time = 3; count = 4 fixed64; sum = 5; bucket_counts = 6 fixed64*; explicit_bounds = 7 double*; exemplars = 8; attributes = 9; flags = 10; min = 11; max = 12 }`
 */
export function readHistogramPoint(reader: WireReader, end: number, header: PointHeader): HistogramPoint {
  header.reset();
  let count = 0n;
  let sum = Number.NaN;
  let min = Number.NaN;
  let max = Number.NaN;
  const bucketCounts: bigint[] = [];
  const bounds: number[] = [];
  while (reader.pos < end) {
    const fieldStart = reader.pos;
    const tag = reader.tag(end);
    if (readHeaderField(reader, tag, fieldStart, end, histogramTags, header)) continue;
    if (tag === 0x21) count = readUnsigned(reader, end);
    else if (tag === 0x29) sum = reader.double(end);
    else if (tag === 0x32) readPacked(reader, end, bucketCounts, readUnsigned);
    else if (tag === 0x31) bucketCounts.push(readUnsigned(reader, end));
    else if (tag === 0x3a) readPacked(reader, end, bounds, readDouble);
    else if (tag === 0x39) bounds.push(reader.double(end));
    else if (tag === 0x59) min = reader.double(end);
    else if (tag === 0x61) max = reader.double(end);
    else reader.skip(tag, end);
  }
  return { count, sum, min, max, bucketCounts, bounds };
}

/** Whether a histogram's buckets fit its bounds: one more than bounds, or none at all. *Source* metrics.proto, HistogramDataPoint. */
export const bucketsFit = (buckets: number, bounds: number): boolean =>
  buckets === 0 ? bounds === 0 : buckets === bounds + 1;

export interface ExponentialHistogramPoint {
  readonly count: bigint;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zeroCount: bigint;
  readonly zeroThreshold: number;
  readonly positiveOffset: number;
  readonly positiveCounts: bigint[];
  readonly negativeOffset: number;
  readonly negativeCounts: bigint[];
}

/** Whether a scale is one that is stored; resolutions in use lie between −10 and 20. *Source* OpenTelemetry metrics data model, "Exponential Scale". */
export const scaleFits = (scale: number): boolean => scale >= -128 && scale <= 127;

export const exponentialTags: HeaderTags = { attributes: 0x0a, start: 0x11, time: 0x19, flags: 0x50, exemplars: 0x5a };

/**
 * Reads an exponential histogram point; `sum`, `min` and `max` are NaN when not sent.
 *
 * *Shape* `ExponentialHistogramDataPoint { attributes = 1; start = 2; time = 3; count = 4 fixed64; sum = 5; scale = 6 sint32; zero_count = 7 fixed64; positive = 8; negative = 9;
 * flags = 10; exemplars = 11; min = 12; max = 13; zero_threshold = 14 }`
 */
export function readExponentialPoint(reader: WireReader, end: number, header: PointHeader): ExponentialHistogramPoint {
  header.reset();
  let count = 0n;
  let sum = Number.NaN;
  let min = Number.NaN;
  let max = Number.NaN;
  let scale = 0;
  let zeroCount = 0n;
  let zeroThreshold = 0;
  const positive = { offset: 0, counts: [] as bigint[] };
  const negative = { offset: 0, counts: [] as bigint[] };
  while (reader.pos < end) {
    const fieldStart = reader.pos;
    const tag = reader.tag(end);
    if (readHeaderField(reader, tag, fieldStart, end, exponentialTags, header)) continue;
    if (tag === 0x21) count = readUnsigned(reader, end);
    else if (tag === 0x29) sum = reader.double(end);
    else if (tag === 0x30) scale = reader.sint32(end);
    else if (tag === 0x39) zeroCount = readUnsigned(reader, end);
    else if (tag === 0x42) readBuckets(reader, reader.limit(end), positive);
    else if (tag === 0x4a) readBuckets(reader, reader.limit(end), negative);
    else if (tag === 0x61) min = reader.double(end);
    else if (tag === 0x69) max = reader.double(end);
    else if (tag === 0x71) zeroThreshold = reader.double(end);
    else reader.skip(tag, end);
  }
  return {
    count,
    sum,
    min,
    max,
    scale,
    zeroCount,
    zeroThreshold,
    positiveOffset: positive.offset,
    positiveCounts: positive.counts,
    negativeOffset: negative.offset,
    negativeCounts: negative.counts,
  };
}

/** *Shape* `Buckets { offset = 1 sint32; bucket_counts = 2 uint64* }` */
function readBuckets(reader: WireReader, end: number, into: { offset: number; counts: bigint[] }): void {
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x08) into.offset = reader.sint32(end);
    else if (tag === 0x12) readPacked(reader, end, into.counts, readVarint);
    else if (tag === 0x10) into.counts.push(readVarint(reader, end));
    else reader.skip(tag, end);
  }
}

export interface SummaryPoint {
  readonly count: bigint;
  readonly sum: number;
  readonly quantiles: number[];
  readonly quantileValues: number[];
}

/** Summaries carry no exemplars; tag 0 matches nothing. */
export const summaryTags: HeaderTags = { attributes: 0x3a, start: 0x11, time: 0x19, flags: 0x40, exemplars: 0 };

/** Reads a summary point. *Shape* `SummaryDataPoint { start = 2; time = 3; count = 4 fixed64; sum = 5; quantile_values = 6 { quantile = 1; value = 2 }; attributes = 7; flags = 8 }` */
export function readSummaryPoint(reader: WireReader, end: number, header: PointHeader): SummaryPoint {
  header.reset();
  let count = 0n;
  let sum = 0;
  const quantiles: number[] = [];
  const quantileValues: number[] = [];
  while (reader.pos < end) {
    const fieldStart = reader.pos;
    const tag = reader.tag(end);
    if (readHeaderField(reader, tag, fieldStart, end, summaryTags, header)) continue;
    if (tag === 0x21) count = readUnsigned(reader, end);
    else if (tag === 0x29) sum = reader.double(end);
    else if (tag === 0x32) {
      const limit = reader.limit(end);
      let quantile = 0;
      let value = 0;
      while (reader.pos < limit) {
        const inner = reader.tag(limit);
        if (inner === 0x09) quantile = reader.double(limit);
        else if (inner === 0x11) value = reader.double(limit);
        else reader.skip(inner, limit);
      }
      quantiles.push(quantile);
      quantileValues.push(value);
    } else reader.skip(tag, end);
  }
  return { count, sum, quantiles, quantileValues };
}

/** Copies every field with `tag` of a message into one row of bytes: for repeated fields that do not stand together and messages sent in pieces. */
export function gather(reader: WireReader, start: number, end: number, tag: number, values: boolean): Uint8Array {
  const pieces: Uint8Array[] = [];
  const back = reader.pos;
  reader.pos = start;
  while (reader.pos < end) {
    const fieldStart = reader.pos;
    const found = reader.tag(end);
    if (found !== tag) {
      reader.skip(found, end);
      continue;
    }
    if ((found & 7) !== 2) throw malformed('a message was expected', fieldStart);
    const limit = reader.limit(end);
    pieces.push(reader.slice(values ? reader.pos : fieldStart, limit));
    reader.pos = limit;
  }
  reader.pos = back;
  return Buffer.concat(pieces);
}
