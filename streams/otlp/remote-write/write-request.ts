import { readString, StringCache } from '../attribute-reader.ts';
import { malformed } from '../wire-reader.ts';
import { expectWire, isStaleMarker, readDouble, readInt64, readLimit, readMarkedDouble, readUint32 } from './fields.ts';
import { readHistogram } from './histogram-reader.ts';
import { elementBytes, MeteredReader, type ReadBudget } from './metered-reader.ts';
import type { RemoteExemplar, RemoteHistogram, RemoteSample, RemoteSeries } from './port.ts';

/**
 * Reads a `prometheus.WriteRequest` (remote-write 1.0) series by series. Metadata is checked and passed over: see the README, "kinds".
 *
 * *Shape*
 * ```
 * WriteRequest   { timeseries = 1 TimeSeries*; metadata = 3 MetricMetadata* }
 * TimeSeries     { labels = 1 Label*; samples = 2 Sample*; exemplars = 3 Exemplar*; histograms = 4 Histogram* }
 * Label          { name = 1 string; value = 2 string }
 * Sample         { value = 1 double; timestamp = 2 int64 ms }
 * Exemplar       { labels = 1 Label*; value = 2 double; timestamp = 3 int64 ms }
 * MetricMetadata { type = 1 enum; metric_family_name = 2 string; help = 4 string; unit = 5 string }
 * ```
 * *Errors* `otlp.malformed` with the byte offset. *Source* prometheus/prompb/remote.proto.
 */
export function readWriteRequest(bytes: Uint8Array, budget: ReadBudget, visit: (series: RemoteSeries) => void): void {
  const reader = new MeteredReader(bytes, budget);
  const strings = new StringCache(2048);
  while (reader.pos < reader.length) {
    const tag = reader.tag(reader.length);
    if (tag >>> 3 === 1) visit(readSeries(reader, readLimit(reader, tag, reader.length), strings));
    else if (tag >>> 3 === 3) checkMetadata(reader, readLimit(reader, tag, reader.length));
    else if (tag >>> 3 === 4 || tag >>> 3 === 5) {
      throw malformed(
        'symbols and series of io.prometheus.write.v2.Request, which the content type does not name',
        reader.pos,
      );
    } else reader.skip(tag, reader.length);
  }
}

function readSeries(reader: MeteredReader, end: number, strings: StringCache): RemoteSeries {
  reader.budget.take(elementBytes.series);
  const labels: string[] = [];
  const samples: RemoteSample[] = [];
  const exemplars: RemoteExemplar[] = [];
  const histograms: RemoteHistogram[] = [];
  while (reader.pos < end) {
    const tag = reader.tag(end);
    const field = tag >>> 3;
    if (field === 1) readLabel(reader, readLimit(reader, tag, end), strings, labels);
    else if (field === 2) samples.push(readSample(reader, readLimit(reader, tag, end)));
    else if (field === 3) exemplars.push(readExemplar(reader, readLimit(reader, tag, end), strings));
    else if (field === 4) histograms.push(readHistogram(reader, readLimit(reader, tag, end)));
    else reader.skip(tag, end);
  }
  return { labels, samples, exemplars, histograms, type: 0, unit: '', help: '' };
}

function readLabel(reader: MeteredReader, end: number, strings: StringCache, into: string[]): void {
  let name = '';
  let value = '';
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag >>> 3 === 1) {
      expectWire(reader, tag, 2);
      name = readString(reader, end, strings);
    } else if (tag >>> 3 === 2) {
      expectWire(reader, tag, 2);
      value = readString(reader, end, strings);
    } else reader.skip(tag, end);
  }
  reader.budget.take(elementBytes.label);
  into.push(name, value);
}

function readSample(reader: MeteredReader, end: number): RemoteSample {
  reader.budget.take(elementBytes.sample);
  let timeMs = 0;
  let value = 0;
  let isStale = false;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag >>> 3 === 1) {
      value = readMarkedDouble(reader, tag, end);
      isStale = isStaleMarker(reader);
    } else if (tag >>> 3 === 2) timeMs = readInt64(reader, tag, end);
    else reader.skip(tag, end);
  }
  return { timeMs, startMs: 0, value, isStale };
}

function readExemplar(reader: MeteredReader, end: number, strings: StringCache): RemoteExemplar {
  reader.budget.take(elementBytes.exemplar);
  const labels: string[] = [];
  let value = 0;
  let timeMs = 0;
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag >>> 3 === 1) readLabel(reader, readLimit(reader, tag, end), strings, labels);
    else if (tag >>> 3 === 2) value = readDouble(reader, tag, end);
    else if (tag >>> 3 === 3) timeMs = readInt64(reader, tag, end);
    else reader.skip(tag, end);
  }
  return { labels, value, timeMs, isBroken: false };
}

function checkMetadata(reader: MeteredReader, end: number): void {
  while (reader.pos < end) {
    const tag = reader.tag(end);
    const field = tag >>> 3;
    if (field === 1) readUint32(reader, tag, end);
    else if (field === 2 || field === 4 || field === 5) {
      const limit = readLimit(reader, tag, end);
      reader.requireUtf8(reader.pos, limit);
      reader.pos = limit;
    } else reader.skip(tag, end);
  }
}
