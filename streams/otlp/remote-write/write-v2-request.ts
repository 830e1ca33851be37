import { malformed } from '../wire-reader.ts';
import {
  isStaleMarker,
  readDouble,
  readInt64,
  readLimit,
  readMarkedDouble,
  readUint32,
  readUint32s,
} from './fields.ts';
import { readHistogram } from './histogram-reader.ts';
import { elementBytes, MeteredReader, type ReadBudget } from './metered-reader.ts';
import type { RemoteExemplar, RemoteHistogram, RemoteSample, RemoteSeries } from './port.ts';

/**
 * Reads an `io.prometheus.write.v2.Request` (remote-write 2.0) series by series. The symbols are read first wherever they stand; each is decoded once.
 *
 * *Shape*
 * ```
 * Request    { symbols = 4 string*; timeseries = 5 TimeSeries* }
 * TimeSeries { labels_refs = 1 uint32*; samples = 2 Sample*; histograms = 3 Histogram*; exemplars = 4 Exemplar*; metadata = 5 Metadata;
 *              created_timestamp = 6 int64 ms (until 2.0-rc.3) }
 * Sample     { value = 1 double; timestamp = 2 int64 ms; start_timestamp = 3 int64 ms }
 * Exemplar   { labels_refs = 1 uint32*; value = 2 double; timestamp = 3 int64 ms }
 * Metadata   { type = 1 enum; help_ref = 3 uint32; unit_ref = 4 uint32 }
 * ```
 * *Errors* `otlp.malformed` with the byte offset. *Source* prometheus/prompb/io/prometheus/write/v2/types.proto, 2.0-rc.4.
 */
export function readWriteV2Request(bytes: Uint8Array, budget: ReadBudget, visit: (series: RemoteSeries) => void): void {
  const reader = new MeteredReader(bytes, budget);
  const symbols = readSymbols(reader);
  reader.pos = 0;
  while (reader.pos < reader.length) {
    const tag = reader.tag(reader.length);
    if (tag >>> 3 === 5) visit(readSeries(reader, readLimit(reader, tag, reader.length), symbols));
    else reader.skip(tag, reader.length);
  }
}

function readSymbols(reader: MeteredReader): readonly string[] {
  const symbols: string[] = [];
  while (reader.pos < reader.length) {
    const tag = reader.tag(reader.length);
    if (tag >>> 3 === 4) {
      const limit = readLimit(reader, tag, reader.length);
      reader.budget.take(elementBytes.symbol);
      symbols.push(reader.text(reader.pos, limit));
      reader.pos = limit;
    } else if (tag >>> 3 <= 3) {
      // Reserved so that the messages can be told apart: passing over them would acknowledge what was never read.
      throw malformed('series of prometheus.WriteRequest, which the content type does not name', reader.pos);
    } else reader.skip(tag, reader.length);
  }
  return symbols;
}

/** The strings of `refs`, or null when one points outside the symbols or they are not pairs. */
function resolve(refs: readonly number[], symbols: readonly string[]): readonly string[] | null {
  if (refs.length % 2 !== 0) return null;
  const strings: string[] = [];
  for (const ref of refs) {
    const symbol = symbols[ref];
    if (symbol === undefined) return null;
    strings.push(symbol);
  }
  return strings;
}

interface Metadata {
  type: number;
  help: number;
  unit: number;
}

function readSeries(reader: MeteredReader, end: number, symbols: readonly string[]): RemoteSeries {
  reader.budget.take(elementBytes.series);
  const refs: number[] = [];
  const samples: RemoteSample[] = [];
  const exemplars: RemoteExemplar[] = [];
  const histograms: RemoteHistogram[] = [];
  const metadata: Metadata = { type: 0, help: 0, unit: 0 };
  let createdMs = 0;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    const field = tag >>> 3;
    if (field === 1) readUint32s(reader, tag, end, refs);
    else if (field === 2) samples.push(readSample(reader, readLimit(reader, tag, end)));
    else if (field === 3) histograms.push(readHistogram(reader, readLimit(reader, tag, end)));
    else if (field === 4) exemplars.push(readExemplar(reader, readLimit(reader, tag, end), symbols));
    else if (field === 5) readMetadata(reader, readLimit(reader, tag, end), metadata);
    else if (field === 6) createdMs = readInt64(reader, tag, end);
    else reader.skip(tag, end);
  }
  // Reference 0 is "not given" in metadata, whatever stands there.
  const help = metadata.help === 0 ? '' : symbols[metadata.help];
  const unit = metadata.unit === 0 ? '' : symbols[metadata.unit];
  const labels = help === undefined || unit === undefined ? null : resolve(refs, symbols);
  if (createdMs !== 0) for (const histogram of histograms) histogram.startMs ||= createdMs;
  return {
    labels,
    samples: createdMs === 0 ? samples : samples.map((one) => ({ ...one, startMs: one.startMs || createdMs })),
    histograms,
    exemplars,
    type: metadata.type,
    unit: unit ?? '',
    help: help ?? '',
  };
}

function readSample(reader: MeteredReader, end: number): RemoteSample {
  reader.budget.take(elementBytes.sample);
  let timeMs = 0;
  let startMs = 0;
  let value = 0;
  let isStale = false;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    const field = tag >>> 3;
    if (field === 1) {
      value = readMarkedDouble(reader, tag, end);
      isStale = isStaleMarker(reader);
    } else if (field === 2) timeMs = readInt64(reader, tag, end);
    else if (field === 3) startMs = readInt64(reader, tag, end);
    else reader.skip(tag, end);
  }
  return { timeMs, startMs, value, isStale };
}

function readExemplar(reader: MeteredReader, end: number, symbols: readonly string[]): RemoteExemplar {
  reader.budget.take(elementBytes.exemplar);
  const refs: number[] = [];
  let value = 0;
  let timeMs = 0;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    const field = tag >>> 3;
    if (field === 1) readUint32s(reader, tag, end, refs);
    else if (field === 2) value = readDouble(reader, tag, end);
    else if (field === 3) timeMs = readInt64(reader, tag, end);
    else reader.skip(tag, end);
  }
  const labels = resolve(refs, symbols);
  return { labels: labels ?? [], value, timeMs, isBroken: labels === null };
}

function readMetadata(reader: MeteredReader, end: number, into: Metadata): void {
  while (reader.pos < end) {
    const tag = reader.tag(end);
    const field = tag >>> 3;
    if (field === 1) into.type = readUint32(reader, tag, end);
    else if (field === 3) into.help = readUint32(reader, tag, end);
    else if (field === 4) into.unit = readUint32(reader, tag, end);
    else reader.skip(tag, end);
  }
}
