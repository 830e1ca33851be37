import { readKeyValue, StringCache } from './attribute-reader.ts';
import { ByteHash } from './byte-hash.ts';
import { PointBuffer } from './columns.ts';
import { findPart, type MessagePart, readPart } from './message-part.ts';
import {
  bucketsFit,
  exponentialTags,
  gather,
  histogramTags,
  type NumberPoint,
  PointHeader,
  readExponentialPoint,
  readHistogramPoint,
  readNumberPoint,
  readSummaryPoint,
  summaryTags,
} from './point-readers.ts';
import type {
  DecodedMetrics,
  ExemplarRow,
  ExponentialHistogramRow,
  HistogramRow,
  SeriesEntry,
  SummaryRow,
  TimeBounds,
} from './port.ts';
import { noSpanId, noTraceId, readAttributes, readId, readScope, type ScopeParts } from './resource-reader.ts';
import { CachedSeries, SeriesCache } from './series-cache.ts';
import { canonicalIdentity, type IdentityHash, seriesId } from './series-identity.ts';
import { refusalOfTime } from './time-bounds.ts';
import { WireReader } from './wire-reader.ts';

/** The `data` oneof of a metric by tag. */
const kinds = new Map<number, SeriesEntry['kind']>([
  [0x2a, 'gauge'],
  [0x3a, 'sum'],
  [0x4a, 'histogram'],
  [0x52, 'exponential_histogram'],
  [0x5a, 'summary'],
]);

const numberAttributes = 0x3a;
const numberExemplars = 0x2a;
const noBounds: readonly number[] = [];
const nothing = findPart(new WireReader(new Uint8Array(0)), 0, 0, 0x0a);

/**
 * Reads `ExportMetricsServiceRequest` bytes into columns in one pass over the points. A point costs a hash of its raw attribute bytes and a table look-up;
 * attributes are decoded only for a series not met before.
 *
 * *Shape* request → resource_metrics 1 { resource 1, scope_metrics 2 { scope 1, metrics 2 { name 1, unit 3, gauge 5 | sum 7 | histogram 9 | exponential 10 | summary 11 } } }.
 * Fields may come in any order, so each level is walked twice: first for what its children need (tags and lengths only), then for the children.
 */
export class MetricsDecoder {
  readonly #cache: SeriesCache;
  readonly #hash: IdentityHash;
  readonly #strings = new StringCache();
  readonly #key = new ByteHash();
  readonly #resourceKey = new ByteHash();
  readonly #scopeKey = new ByteHash();
  readonly #metricKey = new ByteHash();
  readonly #header = new PointHeader();
  readonly #number: NumberPoint = { value: 0 };
  #boundsScratch = new DataView(new ArrayBuffer(8 * 64));

  #tenant = 0;
  #bounds: TimeBounds = { oldestMs: 0, newestMs: 0 };
  #records = 0;
  #handover = 0;
  #resource: MessagePart = nothing;
  #resourceAttributes: ReadonlyMap<string, string> | null = null;
  #scope: MessagePart = nothing;
  #scopeParts: ScopeParts | null = null;
  #nameStart = 0;
  #nameEnd = 0;
  #unitStart = 0;
  #unitEnd = 0;
  #kind: SeriesEntry['kind'] = 'gauge';
  #temporality = 0;
  #monotonic = false;

  #points = new PointBuffer(1024);
  #histograms: HistogramRow[] = [];
  #exponentials: ExponentialHistogramRow[] = [];
  #summaries: SummaryRow[] = [];
  #exemplars: ExemplarRow[] = [];
  #newSeries: CachedSeries[] = [];

  constructor(maxSeries: number, hash: IdentityHash) {
    this.#cache = new SeriesCache(maxSeries);
    this.#hash = hash;
  }

  /** Decodes one payload after those before it. When it is malformed nothing of it stays. */
  decode(payload: Uint8Array, tenant: number, bounds: TimeBounds): { records: number } {
    const kept = [
      this.#points.length,
      this.#histograms.length,
      this.#exponentials.length,
      this.#summaries.length,
      this.#exemplars.length,
      this.#newSeries.length,
    ] as const;
    this.#tenant = tenant;
    this.#bounds = bounds;
    this.#records = 0;
    const reader = new WireReader(payload);
    try {
      while (reader.pos < reader.length) {
        const tag = reader.tag(reader.length);
        if (tag === 0x0a) this.#resourceMetrics(reader, reader.limit(reader.length));
        else reader.skip(tag, reader.length);
      }
    } catch (error) {
      this.#forget(kept);
      throw error;
    }
    return { records: this.#records };
  }

  /** Hands over what was gathered and starts anew; the series cache stays. */
  take(): DecodedMetrics {
    const taken = {
      points: this.#points,
      histograms: this.#histograms,
      exponentialHistograms: this.#exponentials,
      summaries: this.#summaries,
      exemplars: this.#exemplars,
      newSeries: this.#newSeries,
    };
    // The next hand-over is probably as large as this one: starting there saves the doublings.
    this.#points = new PointBuffer(Math.max(1024, taken.points.length));
    this.#histograms = [];
    this.#exponentials = [];
    this.#summaries = [];
    this.#exemplars = [];
    this.#newSeries = [];
    this.#handover++;
    return taken;
  }

  #forget(kept: readonly [number, number, number, number, number, number]): void {
    this.#points.truncate(kept[0]);
    this.#histograms.length = kept[1];
    this.#exponentials.length = kept[2];
    this.#summaries.length = kept[3];
    this.#exemplars.length = kept[4];
    for (const series of this.#newSeries.splice(kept[5])) series.announced = -1;
  }

  #resourceMetrics(reader: WireReader, end: number): void {
    const start = reader.pos;
    this.#resource = findPart(reader, start, end, 0x0a);
    this.#resourceAttributes = null;
    this.#resourceKey.seed(this.#tenant, 0x5bd1e995, 0x2f0b4c6d, 0x7ed55d16);
    this.#resourceKey.range(this.#resource.reader.view, this.#resource.start, this.#resource.end);
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x12) this.#scopeMetrics(reader, reader.limit(end));
      else reader.skip(tag, end);
    }
  }

  #scopeMetrics(reader: WireReader, end: number): void {
    const start = reader.pos;
    this.#scope = findPart(reader, start, end, 0x0a);
    this.#scopeParts = null;
    copy(this.#resourceKey, this.#scopeKey);
    this.#scopeKey.range(this.#scope.reader.view, this.#scope.start, this.#scope.end);
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x12) this.#metric(reader, reader.limit(end));
      else reader.skip(tag, end);
    }
  }

  #metric(reader: WireReader, end: number): void {
    this.#nameStart = 0;
    this.#nameEnd = 0;
    this.#unitStart = 0;
    this.#unitEnd = 0;
    let dataTag = 0;
    let dataStart = 0;
    let dataEnd = 0;
    const start = reader.pos;
    let pieces = 0;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if ((tag & 7) !== 2) {
        reader.skip(tag, end);
        continue;
      }
      const limit = reader.limit(end);
      if (tag === 0x0a) {
        this.#nameStart = reader.pos;
        this.#nameEnd = limit;
      } else if (tag === 0x1a) {
        this.#unitStart = reader.pos;
        this.#unitEnd = limit;
      } else if (kinds.has(tag)) {
        pieces = tag === dataTag ? pieces + 1 : 1;
        dataTag = tag;
        dataStart = reader.pos;
        dataEnd = limit;
      }
      reader.pos = limit;
    }
    const kind = kinds.get(dataTag);
    if (kind === undefined || this.#nameEnd === this.#nameStart) return;
    this.#kind = kind;
    if (pieces === 1) {
      this.#data(reader, reader, dataStart, dataEnd);
    } else {
      // The same kind sent in pieces is one message: its bytes joined are its encoding.
      const joined = new WireReader(gather(reader, start, end, dataTag, true));
      this.#data(reader, joined, 0, joined.length);
    }
    reader.pos = end;
  }

  /** Walks the data message of a metric: temporality and monotonicity first, because they come after the points. */
  #data(header: WireReader, reader: WireReader, start: number, end: number): void {
    this.#temporality = 0;
    this.#monotonic = false;
    if (this.#kind !== 'gauge' && this.#kind !== 'summary') {
      reader.pos = start;
      while (reader.pos < end) {
        const tag = reader.tag(end);
        if (tag === 0x10) this.#temporality = reader.varint32(end);
        else if (tag === 0x18 && this.#kind === 'sum')
          this.#monotonic = reader.varint32(end) !== 0 || reader.high !== 0;
        else reader.skip(tag, end);
      }
    }
    copy(this.#scopeKey, this.#metricKey);
    this.#metricKey.range(header.view, this.#nameStart, this.#nameEnd);
    this.#metricKey.range(header.view, this.#unitStart, this.#unitEnd);
    this.#metricKey.number(this.#kind.length * 8 + this.#temporality * 2 + (this.#monotonic ? 1 : 0));
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x0a) this.#point(header, reader, reader.limit(end));
      else reader.skip(tag, end);
    }
  }

  #point(names: WireReader, reader: WireReader, end: number): void {
    switch (this.#kind) {
      case 'gauge':
      case 'sum':
        this.#numberPoint(names, reader, end);
        return;
      case 'histogram':
        this.#histogramPoint(names, reader, end);
        return;
      case 'exponential_histogram':
        this.#exponentialPoint(names, reader, end);
        return;
      case 'summary':
        this.#summaryPoint(names, reader, end);
    }
  }

  #numberPoint(names: WireReader, reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    readNumberPoint(reader, end, header, this.#number);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null) return;
    const series = this.#series(names, reader, start, end, numberAttributes, noBounds);
    this.#points.push(series, header.timeMs, this.#number.value, header.startMs, header.flags);
    this.#records++;
    if (header.hasExemplars) this.#readExemplars(reader, start, end, numberExemplars, series);
  }

  #histogramPoint(names: WireReader, reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    const { bounds, ...point } = readHistogramPoint(reader, end, header);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null) return;
    if (!bucketsFit(point.bucketCounts.length, bounds.length)) return;
    const series = this.#series(names, reader, start, end, histogramTags.attributes, bounds);
    this.#histograms.push({ series, ...times(header), ...point });
    this.#records++;
    if (header.hasExemplars) this.#readExemplars(reader, start, end, histogramTags.exemplars, series);
  }

  #exponentialPoint(names: WireReader, reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    const point = readExponentialPoint(reader, end, header);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null) return;
    const series = this.#series(names, reader, start, end, exponentialTags.attributes, noBounds);
    this.#exponentials.push({ series, ...times(header), ...point });
    this.#records++;
    if (header.hasExemplars) this.#readExemplars(reader, start, end, exponentialTags.exemplars, series);
  }

  #summaryPoint(names: WireReader, reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    const point = readSummaryPoint(reader, end, header);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null) return;
    const series = this.#series(names, reader, start, end, summaryTags.attributes, noBounds);
    this.#summaries.push({ series, ...times(header), ...point });
    this.#records++;
  }

  /** Finds the series of the point just read; announces it when it is new, or still not confirmed since the last hand-over. */
  #series(
    names: WireReader,
    reader: WireReader,
    start: number,
    end: number,
    attributesTag: number,
    bounds: readonly number[],
  ): CachedSeries {
    const header = this.#header;
    const key = this.#key;
    copy(this.#metricKey, key);
    let from = reader;
    let first = header.attributesStart;
    let last = header.attributesEnd;
    if (header.split) {
      from = new WireReader(gather(reader, start, end, attributesTag, false));
      first = 0;
      last = from.length;
    }
    key.range(from.view, first, last);
    if (bounds.length > 0) this.#hashBounds(bounds);
    const series =
      this.#cache.get(key) ?? this.#newEntry(names, { reader: from, start: first, end: last }, attributesTag, bounds);
    if (!series.confirmed && series.announced !== this.#handover) {
      series.announced = this.#handover;
      this.#newSeries.push(series);
    }
    return series;
  }

  #hashBounds(bounds: readonly number[]): void {
    if (bounds.length * 8 > this.#boundsScratch.byteLength) {
      this.#boundsScratch = new DataView(new ArrayBuffer(bounds.length * 16));
    }
    bounds.forEach((bound, i) => {
      this.#boundsScratch.setFloat64(i * 8, bound);
    });
    this.#key.range(this.#boundsScratch, 0, bounds.length * 8);
  }

  #newEntry(
    names: WireReader,
    attributes: MessagePart,
    attributesTag: number,
    bounds: readonly number[],
  ): CachedSeries {
    const strings = this.#strings;
    const pointAttributes = readPart(attributes, (reader, end) => readAttributes(reader, end, attributesTag, strings));
    this.#resourceAttributes ??= readPart(this.#resource, (reader, end) => readAttributes(reader, end, 0x0a, strings));
    this.#scopeParts ??= readPart(this.#scope, (reader, end) => readScope(reader, end, strings));
    const { name: scopeName, version: scopeVersion, attributes: scopeAttributes } = this.#scopeParts;
    const metric = strings.read(names, this.#nameStart, this.#nameEnd);
    const description = {
      metric,
      kind: this.#kind,
      temporality: this.#temporality === 2 ? 'cumulative' : this.#temporality === 1 ? 'delta' : '',
      monotonic: this.#monotonic,
      unit: strings.read(names, this.#unitStart, this.#unitEnd),
      bounds: [...bounds],
    } as const;
    const digest = this.#hash(
      canonicalIdentity({
        ...description,
        scopeName,
        scopeVersion,
        resourceAttributes: this.#resourceAttributes,
        scopeAttributes,
        pointAttributes,
      }),
    );
    const identity = Uint8Array.from(digest.subarray(0, 16));
    const known = this.#cache.byIdentity(this.#tenant, identity);
    const entry =
      known ??
      new CachedSeries(
        { ...description, tenant: this.#tenant, scope: `${scopeName}@${scopeVersion}` },
        { own: pointAttributes, shared: prefixed(this.#resourceAttributes, scopeAttributes) },
        identity,
        seriesId(this.#hash(metric), identity),
      );
    this.#cache.put(this.#key, entry);
    return entry;
  }

  /** *Shape* `Exemplar { time = 2 fixed64; as_double = 3; span_id = 4; trace_id = 5; as_int = 6 sfixed64; filtered_attributes = 7 }` */
  #readExemplars(reader: WireReader, start: number, end: number, tag: number, series: SeriesEntry): void {
    reader.pos = start;
    while (reader.pos < end) {
      const found = reader.tag(end);
      if (found === tag) {
        const row = readExemplar(reader, reader.limit(end), series, this.#strings);
        if (refusalOfTime(row.timeMs, this.#bounds) === null) this.#exemplars.push(row);
      } else reader.skip(found, end);
    }
  }
}

function copy(from: ByteHash, to: ByteHash): void {
  to.seed(from.h1, from.h2, from.h3, from.h4);
}

const times = ({ timeMs, startMs, flags }: PointHeader) => ({ timeMs, startMs, flags });

function prefixed(resource: ReadonlyMap<string, string>, scope: ReadonlyMap<string, string>): Map<string, string> {
  const shared = new Map<string, string>();
  for (const [name, value] of scope) shared.set(`scope.${name}`, value);
  for (const [name, value] of resource) shared.set(`resource.${name}`, value);
  return shared;
}

function readExemplar(reader: WireReader, end: number, series: SeriesEntry, strings: StringCache): ExemplarRow {
  let timeMs = 0;
  let value = 0;
  let traceId: Uint8Array = noTraceId;
  let spanId: Uint8Array = noSpanId;
  const attributes = new Map<string, string>();
  while (reader.pos < end) {
    const tag = reader.tag(end);
    if (tag === 0x11) {
      reader.fixed64(end);
      timeMs = reader.millis();
    } else if (tag === 0x19) value = reader.double(end);
    else if (tag === 0x31) {
      reader.fixed64(end);
      value = reader.signedNumber();
    } else if (tag === 0x22) spanId = readId(reader, end, noSpanId);
    else if (tag === 0x2a) traceId = readId(reader, end, noTraceId);
    else if (tag === 0x3a) readKeyValue(reader, reader.limit(end), strings, attributes);
    else reader.skip(tag, end);
  }
  return { series, timeMs, value, traceId, spanId, attributes };
}
