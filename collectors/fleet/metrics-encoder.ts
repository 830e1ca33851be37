import { BOUNDS, BUCKETS, HISTOGRAM_WIDTH } from './latency.ts';
import type { SeriesDefinition, SeriesPoints } from './tenant-series.ts';
import { integer, join, keyValue, message, nanoseconds, text, varint } from './wire-writer.ts';

const TWO_32 = 4294967296;
const CUMULATIVE = 2;

/** One point's bytes, framed as `data_points`, with the places where time and values are written. */
interface Template {
  readonly bytes: Uint8Array;
  readonly timeAt: number;
  readonly valueAt: number;
}

/**
 * Encodes windows of one tenant as OTLP `ExportMetricsServiceRequest`. All points of a series are equally long, so a series' bytes are made once and only time and values change.
 *
 * *Shape* one resource, one scope, a metric a name in order of first appearance, points series by series, ascending.
 * *Source* opentelemetry-proto 1.x, metrics.proto.
 */
export class MetricsEncoder {
  private readonly resource: Uint8Array;
  private readonly scope: Uint8Array;
  private readonly startMs: number;
  private readonly templates = new Map<SeriesDefinition, Template>();
  private scratch = new Uint8Array(0);

  constructor(resource: Readonly<Record<string, string | boolean>>, scope: string, startMs: number) {
    this.resource = encodeResource(resource);
    this.scope = encodeScope(scope);
    this.startMs = startMs;
  }

  /** *Shape* `points` are grouped by metric already; the bytes stay valid until the next call, megabytes a request are too much to leave to the collector. */
  encode(points: readonly SeriesPoints[]): Uint8Array {
    const times = new Map<number, readonly [number, number]>();
    const metrics: Metric[] = [];
    for (const one of points) {
      const last = metrics.at(-1);
      const template = this.template(one.series);
      const size = one.times.length * template.bytes.length;
      if (last?.series.metric === one.series.metric) {
        last.parts.push({ points: one, template });
        last.size += size;
      } else metrics.push({ series: one.series, parts: [{ points: one, template }], size });
    }
    const frames = metrics.map((metric) => frameOf(metric.series, metric.size));
    const body = frames.reduce(
      (total, frame, index) => total + frame.length + (metrics[index]?.size ?? 0),
      this.scope.length,
    );
    const scopeHead = join([Uint8Array.of(0x12), varint(body)]);
    const resourceHead = join([Uint8Array.of(0x0a), varint(this.resource.length + scopeHead.length + body)]);
    const length = resourceHead.length + this.resource.length + scopeHead.length + body;
    if (this.scratch.length < length) this.scratch = new Uint8Array(length);
    const out = this.scratch.subarray(0, length);
    const view = new DataView(out.buffer);
    let offset = put(out, 0, resourceHead, this.resource, scopeHead, this.scope);
    for (const [index, metric] of metrics.entries()) {
      offset = put(out, offset, frames[index] ?? new Uint8Array(0));
      for (const part of metric.parts) offset = writePoints(out, view, offset, part, times);
    }
    return out;
  }

  private template(series: SeriesDefinition): Template {
    let template = this.templates.get(series);
    if (template === undefined) {
      template =
        series.kind === 'histogram' ? histogramTemplate(series, this.startMs) : numberTemplate(series, this.startMs);
      this.templates.set(series, template);
    }
    return template;
  }
}

interface Part {
  readonly points: SeriesPoints;
  readonly template: Template;
}
interface Metric {
  readonly series: SeriesDefinition;
  readonly parts: Part[];
  size: number;
}

export function encodeResource(attributes: Readonly<Record<string, string | boolean>>): Uint8Array {
  return message(1, ...Object.entries(attributes).map(([name, value]) => keyValue(1, name, value)));
}

export function encodeScope(name: string): Uint8Array {
  return message(1, text(1, name), text(2, '1'));
}

function put(out: Uint8Array, start: number, ...pieces: readonly Uint8Array[]): number {
  let offset = start;
  for (const piece of pieces) {
    out.set(piece, offset);
    offset += piece.length;
  }
  return offset;
}

/** Everything of a metric before its points. Temporality and monotonicity stand before them: protobuf fields have no order. */
function frameOf(series: SeriesDefinition, size: number): Uint8Array {
  const head = join([text(1, series.metric), text(3, series.unit)]);
  const data =
    series.kind === 'gauge'
      ? new Uint8Array(0)
      : series.kind === 'counter'
        ? join([integer(2, CUMULATIVE), integer(3, 1)])
        : integer(2, CUMULATIVE);
  const field = series.kind === 'gauge' ? 5 : series.kind === 'counter' ? 7 : 9;
  const dataHead = join([varint(field * 8 + 2), varint(data.length + size), data]);
  return join([Uint8Array.of(0x12), varint(head.length + dataHead.length + size), head, dataHead]);
}

function numberTemplate(series: SeriesDefinition, startMs: number): Template {
  const start = series.kind === 'counter' ? nanoseconds(2, startMs) : new Uint8Array(0);
  const time = nanoseconds(3, 0);
  const value = join([Uint8Array.of(series.integer ? 0x31 : 0x21), new Uint8Array(8)]);
  const attributes = series.attributes.map(([name, entry]) => keyValue(7, name, entry));
  const bytes = message(1, start, time, value, ...attributes);
  const head = bytes.length - [start, time, value, ...attributes].reduce((total, piece) => total + piece.length, 0);
  const timeAt = head + start.length + 1;
  return { bytes, timeAt, valueAt: timeAt + 9 };
}

function histogramTemplate(series: SeriesDefinition, startMs: number): Template {
  const start = nanoseconds(2, startMs);
  const time = nanoseconds(3, 0);
  const countAndSum = join([Uint8Array.of(0x21), new Uint8Array(8), Uint8Array.of(0x29), new Uint8Array(8)]);
  const buckets = message(6, new Uint8Array(8 * BUCKETS));
  const bounds = message(7, new Uint8Array(new Float64Array(BOUNDS).buffer));
  const attributes = series.attributes.map(([name, entry]) => keyValue(9, name, entry));
  const pieces = [start, time, countAndSum, buckets, bounds, ...attributes];
  const bytes = message(1, ...pieces);
  const head = bytes.length - pieces.reduce((total, piece) => total + piece.length, 0);
  const timeAt = head + start.length + 1;
  return { bytes, timeAt, valueAt: timeAt + 9 };
}

function writePoints(
  out: Uint8Array,
  view: DataView,
  start: number,
  part: Part,
  times: Map<number, readonly [number, number]>,
): number {
  const { template, points } = part;
  const { bytes } = template;
  let offset = start;
  for (let index = 0; index < points.times.length; index += 1) {
    out.set(bytes, offset);
    const [low, high] = nanosecondWords(points.times[index] ?? 0, times);
    view.setUint32(offset + template.timeAt, low, true);
    view.setUint32(offset + template.timeAt + 4, high, true);
    const at = offset + template.valueAt;
    if (points.series.kind === 'histogram') writeHistogram(view, at, points.values, index * HISTOGRAM_WIDTH);
    else if (points.series.integer) writeInteger(view, at, points.values[index] ?? 0);
    else view.setFloat64(at, points.values[index] ?? 0, true);
    offset += bytes.length;
  }
  return offset;
}

function writeHistogram(view: DataView, start: number, values: Float64Array, from: number): void {
  writeInteger(view, start, values[from] ?? 0);
  view.setFloat64(start + 9, values[from + 1] ?? 0, true);
  // tag and length of the packed buckets stand between the sum and the first bucket
  const first = start + 9 + 8 + 2;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1)
    writeInteger(view, first + bucket * 8, values[from + 2 + bucket] ?? 0);
}

/** A whole number 0 … 2^53 as little-endian 64 bits. */
function writeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

/** Nanoseconds do not fit a double, and a bigint a point is slow: the two halves are made once an instant and request. */
function nanosecondWords(timeMs: number, cache: Map<number, readonly [number, number]>): readonly [number, number] {
  let words = cache.get(timeMs);
  if (words === undefined) {
    const nanos = BigInt(timeMs) * 1_000_000n;
    words = [Number(nanos & 0xffffffffn), Number(nanos >> 32n)];
    cache.set(timeMs, words);
  }
  return words;
}
