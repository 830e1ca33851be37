import type { DenseBuckets, HistogramPoint } from './native-histogram.ts';
import { OtlpSink } from './otlp-sink.ts';
import type { RemoteExemplar, RemoteSample } from './port.ts';

/** Name of the instrumentation scope of everything that came by remote-write: part of a series' identity, the same for 1.0 and 2.0. */
export const remoteWriteScope = 'prometheus.remote-write';

/** The points of one series that go into one metric. `exemplars` ride on the last point. */
export interface SeriesPoints<Point> {
  readonly labels: readonly string[];
  readonly points: readonly Point[];
  readonly exemplars: readonly RemoteExemplar[];
}

interface MetricHead {
  readonly name: string;
  readonly unit: string;
  readonly help: string;
}

/** One OTLP metric. */
export type MetricGroup = MetricHead &
  (
    | { readonly kind: 'gauge' | 'counter'; readonly series: SeriesPoints<RemoteSample>[] }
    | {
        readonly kind: 'explicit' | 'exponential';
        /** Gauge histograms have no temporality. */
        readonly isCumulative: boolean;
        readonly series: SeriesPoints<HistogramPoint>[];
      }
  );

const cumulative = 2;
const noRecordedValue = 1;

/**
 * Writes metrics as `ExportMetricsServiceRequest`: one resource without attributes, one scope.
 *
 * *Shape* request { resource_metrics 1 { scope_metrics 2 { scope 1 { name 1 }; metrics 2 { name 1; description 2; unit 3; gauge 5 | sum 7 | histogram 9 | exponential_histogram 10 } } } }
 */
export function writeMetrics(groups: Iterable<MetricGroup>): Uint8Array {
  const sink = new OtlpSink();
  const resource = sink.open(0x0a);
  const scoped = sink.open(0x12);
  const scope = sink.open(0x0a);
  sink.string(0x0a, remoteWriteScope);
  sink.close(scope);
  for (const group of groups) writeMetric(sink, group);
  sink.close(scoped);
  sink.close(resource);
  return sink.finish();
}

const dataTags = { gauge: 0x2a, counter: 0x3a, explicit: 0x4a, exponential: 0x52 } as const;

function writeMetric(sink: OtlpSink, group: MetricGroup): void {
  const metric = sink.open(0x12);
  sink.string(0x0a, group.name);
  if (group.help !== '') sink.string(0x12, group.help);
  if (group.unit !== '') sink.string(0x1a, group.unit);
  const data = sink.open(dataTags[group.kind]);
  if ('isCumulative' in group) {
    for (const series of group.series) writeEach(sink, series, writeHistogram);
    if (group.isCumulative) sink.varint(0x10, cumulative);
  } else {
    for (const series of group.series) writeEach(sink, series, writeSample);
    if (group.kind === 'counter') {
      sink.varint(0x10, cumulative);
      sink.varint(0x18, 1);
    }
  }
  sink.close(data);
  sink.close(metric);
}

type WritePoint<Point> = (
  sink: OtlpSink,
  point: Point,
  labels: readonly string[],
  exemplars: readonly RemoteExemplar[],
) => void;

const none: readonly RemoteExemplar[] = [];

function writeEach<Point>(sink: OtlpSink, series: SeriesPoints<Point>, write: WritePoint<Point>): void {
  const last = series.points.length - 1;
  for (const [i, point] of series.points.entries()) {
    const at = sink.open(0x0a);
    write(sink, point, series.labels, i === last ? series.exemplars : none);
    sink.close(at);
  }
}

/** `NumberDataPoint { start 2; time 3; as_double 4; exemplars 5; attributes 7; flags 8 }` */
function writeSample(
  sink: OtlpSink,
  sample: RemoteSample,
  labels: readonly string[],
  exemplars: readonly RemoteExemplar[],
): void {
  writeLabels(sink, 0x3a, labels);
  if (sample.startMs !== 0) sink.time(0x11, sample.startMs);
  sink.time(0x19, sample.timeMs);
  if (sample.isStale) sink.varint(0x40, noRecordedValue);
  else sink.double(0x21, sample.value);
  for (const exemplar of exemplars) writeExemplar(sink, 0x2a, exemplar);
}

function writeHistogram(
  sink: OtlpSink,
  point: HistogramPoint,
  labels: readonly string[],
  exemplars: readonly RemoteExemplar[],
): void {
  if (point.kind === 'explicit') writeExplicit(sink, point, labels, exemplars);
  else writeExponential(sink, point, labels, exemplars);
}

/** `HistogramDataPoint { start 2; time 3; count 4; sum 5; bucket_counts 6; explicit_bounds 7; exemplars 8; attributes 9 }` */
function writeExplicit(
  sink: OtlpSink,
  point: HistogramPoint & { readonly kind: 'explicit' },
  labels: readonly string[],
  exemplars: readonly RemoteExemplar[],
): void {
  writeLabels(sink, 0x4a, labels);
  if (point.startMs !== 0) sink.time(0x11, point.startMs);
  sink.time(0x19, point.timeMs);
  sink.fixed64(0x21, point.count);
  sink.double(0x29, point.sum);
  const counts = sink.open(0x32);
  for (const count of point.counts) sink.bareFixed64(count);
  sink.close(counts);
  const bounds = sink.open(0x3a);
  for (const bound of point.bounds) sink.bareDouble(bound);
  sink.close(bounds);
  for (const exemplar of exemplars) writeExemplar(sink, 0x42, exemplar);
}

/** `ExponentialHistogramDataPoint { attributes 1; start 2; time 3; count 4; sum 5; scale 6; zero_count 7; positive 8; negative 9; flags 10; exemplars 11; zero_threshold 14 }` */
function writeExponential(
  sink: OtlpSink,
  point: HistogramPoint & { readonly kind: 'exponential' },
  labels: readonly string[],
  exemplars: readonly RemoteExemplar[],
): void {
  writeLabels(sink, 0x0a, labels);
  if (point.startMs !== 0) sink.time(0x11, point.startMs);
  sink.time(0x19, point.timeMs);
  sink.fixed64(0x21, point.count);
  if (point.isStale) sink.varint(0x50, noRecordedValue);
  else {
    sink.double(0x29, point.sum);
    sink.sint32(0x30, point.scale);
    sink.fixed64(0x39, point.zeroCount);
    writeDense(sink, 0x42, point.positive);
    writeDense(sink, 0x4a, point.negative);
    sink.double(0x71, point.zeroThreshold);
  }
  for (const exemplar of exemplars) writeExemplar(sink, 0x5a, exemplar);
}

/** `Buckets { offset 1 sint32; bucket_counts 2 uint64* }` */
function writeDense(sink: OtlpSink, tag: number, buckets: DenseBuckets): void {
  if (buckets.counts.length === 0) return;
  const at = sink.open(tag);
  sink.sint32(0x08, buckets.offset);
  const counts = sink.open(0x12);
  for (const count of buckets.counts) sink.bareVarint(count);
  sink.close(counts);
  sink.close(at);
}

/** `KeyValue { key 1; value 2 { string_value 1 } }` */
function writeLabel(sink: OtlpSink, tag: number, name: string, value: string): void {
  const label = sink.open(tag);
  sink.string(0x0a, name);
  const any = sink.open(0x12);
  sink.string(0x0a, value);
  sink.close(any);
  sink.close(label);
}

function writeLabels(sink: OtlpSink, tag: number, labels: readonly string[]): void {
  for (let i = 0; i < labels.length; i += 2) writeLabel(sink, tag, labels[i] ?? '', labels[i + 1] ?? '');
}

/** `Exemplar { time 2; as_double 3; span_id 4; trace_id 5; filtered_attributes 7 }`; ids that are not hexadecimal of the right length stay attributes. */
function writeExemplar(sink: OtlpSink, tag: number, exemplar: RemoteExemplar): void {
  const at = sink.open(tag);
  sink.time(0x11, exemplar.timeMs);
  sink.double(0x19, exemplar.value);
  for (let i = 0; i < exemplar.labels.length; i += 2) {
    const name = exemplar.labels[i] ?? '';
    const value = exemplar.labels[i + 1] ?? '';
    if (name === 'trace_id' && sink.id(0x2a, value, 16)) continue;
    if (name === 'span_id' && sink.id(0x22, value, 8)) continue;
    writeLabel(sink, 0x3a, name, value);
  }
  sink.close(at);
}
