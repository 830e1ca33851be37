import {
  isStaleMarker,
  readDouble,
  readDoubles,
  readInt64,
  readLimit,
  readMarkedDouble,
  readSint32,
  readSint64s,
  readUint32,
  readUint64,
} from './fields.ts';
import { elementBytes, type MeteredReader } from './metered-reader.ts';
import type { BucketSide, RemoteHistogram } from './port.ts';

/**
 * Reads one native histogram (its length has been read, it ends at `end`); the message is the same in 1.0 and 2.0, only 17 is new.
 *
 * *Shape*
 * ```
 * Histogram  { oneof count { count_int = 1 uint64 | count_float = 2 double }; sum = 3 double; schema = 4 sint32; zero_threshold = 5 double;
 *              oneof zero_count { zero_count_int = 6 uint64 | zero_count_float = 7 double };
 *              negative_spans = 8 BucketSpan*; negative_deltas = 9 sint64*; negative_counts = 10 double*;
 *              positive_spans = 11 BucketSpan*; positive_deltas = 12 sint64*; positive_counts = 13 double*;
 *              reset_hint = 14 enum; timestamp = 15 int64 ms; custom_values = 16 double*; start_timestamp = 17 int64 ms }
 * BucketSpan { offset = 1 sint32; length = 2 uint32 }
 * ```
 * *Source* prometheus/prompb/types.proto and prompb/io/prometheus/write/v2/types.proto.
 */
export function readHistogram(reader: MeteredReader, end: number): RemoteHistogram {
  reader.budget.take(elementBytes.histogram);
  const histogram: RemoteHistogram = {
    timeMs: 0,
    startMs: 0,
    count: 0,
    isFloat: false,
    sum: 0,
    isStale: false,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    negative: { spans: [], deltas: [], counts: [] },
    positive: { spans: [], deltas: [], counts: [] },
    resetHint: 0,
    customValues: [],
    isInexact: false,
  };
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (!readHead(reader, tag, end, histogram)) readBuckets(reader, tag, end, histogram);
  }
  const whole = [histogram.count, histogram.zeroCount, ...histogram.negative.deltas, ...histogram.positive.deltas];
  histogram.isInexact = !histogram.isFloat && !whole.every(Number.isSafeInteger);
  return histogram;
}

function readHead(reader: MeteredReader, tag: number, end: number, into: RemoteHistogram): boolean {
  switch (tag >>> 3) {
    case 1:
      into.count = readUint64(reader, tag, end);
      into.isFloat = false;
      return true;
    case 2:
      into.count = readDouble(reader, tag, end);
      into.isFloat = true;
      return true;
    case 3:
      into.sum = readMarkedDouble(reader, tag, end);
      into.isStale = isStaleMarker(reader);
      return true;
    case 4:
      into.schema = readSint32(reader, tag, end);
      return true;
    case 5:
      into.zeroThreshold = readDouble(reader, tag, end);
      return true;
    case 6:
      into.zeroCount = readUint64(reader, tag, end);
      return true;
    case 7:
      into.zeroCount = readDouble(reader, tag, end);
      return true;
    case 14:
      into.resetHint = readUint32(reader, tag, end);
      return true;
    case 15:
      into.timeMs = readInt64(reader, tag, end);
      return true;
    case 17:
      into.startMs = readInt64(reader, tag, end);
      return true;
    default:
      return false;
  }
}

function readBuckets(reader: MeteredReader, tag: number, end: number, into: RemoteHistogram): void {
  const field = tag >>> 3;
  if (field >= 8 && field <= 10) readSide(reader, tag, end, field - 8, into.negative);
  else if (field >= 11 && field <= 13) readSide(reader, tag, end, field - 11, into.positive);
  else if (field === 16) readDoubles(reader, tag, end, into.customValues);
  else reader.skip(tag, end);
}

function readSide(reader: MeteredReader, tag: number, end: number, part: number, side: BucketSide): void {
  if (part === 1) readSint64s(reader, tag, end, side.deltas);
  else if (part === 2) readDoubles(reader, tag, end, side.counts);
  else readSpan(reader, readLimit(reader, tag, end), side.spans);
}

function readSpan(reader: MeteredReader, end: number, into: number[]): void {
  let offset = 0;
  let length = 0;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag >>> 3 === 1) offset = readSint32(reader, tag, end);
    else if (tag >>> 3 === 2) length = readUint32(reader, tag, end);
    else reader.skip(tag, end);
  }
  reader.budget.take(2 * elementBytes.number);
  into.push(offset, length);
}
