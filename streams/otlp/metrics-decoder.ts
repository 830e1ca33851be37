import { PointBuffer } from './columns.ts';
import { readExemplar } from './exemplar-reader.ts';
import { findPart } from './message-part.ts';
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
  scaleFits,
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
import type { CachedSeries } from './series-cache.ts';
import { type NameRanges, SeriesFinder } from './series-finder.ts';
import type { IdentityHash } from './series-identity.ts';
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
/** Columns of a larger hand-over are not kept: 25 bytes a point. */
const sparePointsMax = 262_144;

/**
 * Reads `ExportMetricsServiceRequest` bytes into columns in one pass over the points. A point costs a hash of its raw attribute bytes and a table look-up;
 * attributes are decoded only for a series not met before.
 *
 * *Shape* request → resource_metrics 1 { resource 1, scope_metrics 2 { scope 1, metrics 2 { name 1, unit 3, gauge 5 | sum 7 | histogram 9 | exponential 10 | summary 11 } } }.
 * Fields may come in any order, so each level is walked twice: first for what its children need (tags and lengths only), then for the children.
 */
export class MetricsDecoder {
  readonly #finder: SeriesFinder;
  readonly #header = new PointHeader();
  readonly #number: NumberPoint = { value: 0 };

  #tenant = 0;
  #bounds: TimeBounds = { oldestMs: 0, newestMs: 0 };
  #records = 0;
  #handover = 0;
  #kind: SeriesEntry['kind'] = 'gauge';

  #points = new PointBuffer(1024);
  #spare: PointBuffer | null = null;
  #histograms: HistogramRow[] = [];
  #exponentials: ExponentialHistogramRow[] = [];
  #summaries: SummaryRow[] = [];
  #exemplars: ExemplarRow[] = [];
  #newSeries: CachedSeries[] = [];

  constructor(maxSeries: number, hash: IdentityHash) {
    this.#finder = new SeriesFinder(maxSeries, hash);
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
    this.#points = this.#spare ?? new PointBuffer(Math.max(1024, taken.points.length));
    this.#spare = null;
    this.#histograms = [];
    this.#exponentials = [];
    this.#summaries = [];
    this.#exemplars = [];
    this.#newSeries = [];
    this.#handover++;
    return taken;
  }

  /** Takes columns back that were handed over; see {@link OtlpDecoder}. */
  recycle(points: DecodedMetrics['points']): void {
    if (!(points instanceof PointBuffer) || points === this.#points || points.timeMs.length > sparePointsMax) return;
    points.reset();
    this.#spare = points;
  }

  #forget(kept: readonly [number, number, number, number, number, number]): void {
    this.#points.truncate(kept[0]);
    this.#histograms.length = kept[1];
    this.#exponentials.length = kept[2];
    this.#summaries.length = kept[3];
    this.#exemplars.length = kept[4];
    for (const series of this.#newSeries.splice(kept[5])) series.announced = -1;
  }

  /** *Shape* `ResourceMetrics { resource = 1; scope_metrics = 2 }` */
  #resourceMetrics(reader: WireReader, end: number): void {
    const start = reader.pos;
    this.#finder.resource(this.#tenant, findPart(reader, start, end, 0x0a));
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x12) this.#scopeMetrics(reader, reader.limit(end));
      else reader.skip(tag, end);
    }
  }

  /** *Shape* `ScopeMetrics { scope = 1; metrics = 2 }` */
  #scopeMetrics(reader: WireReader, end: number): void {
    const start = reader.pos;
    this.#finder.scope(findPart(reader, start, end, 0x0a));
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x12) this.#metric(reader, reader.limit(end));
      else reader.skip(tag, end);
    }
  }

  /** *Shape* `Metric { name = 1; unit = 3; oneof data { gauge = 5; sum = 7; histogram = 9; exponential_histogram = 10; summary = 11 } }` */
  #metric(reader: WireReader, end: number): void {
    const ranges = { nameStart: 0, nameEnd: 0, unitStart: 0, unitEnd: 0 };
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
        ranges.nameStart = reader.pos;
        ranges.nameEnd = limit;
      } else if (tag === 0x1a) {
        ranges.unitStart = reader.pos;
        ranges.unitEnd = limit;
      } else if (kinds.has(tag)) {
        pieces = tag === dataTag ? pieces + 1 : 1;
        dataTag = tag;
        dataStart = reader.pos;
        dataEnd = limit;
      }
      reader.pos = limit;
    }
    const kind = kinds.get(dataTag);
    if (kind === undefined || ranges.nameEnd === ranges.nameStart) return;
    this.#kind = kind;
    if (pieces === 1) {
      this.#data({ reader, ranges }, reader, dataStart, dataEnd);
    } else {
      // The same kind sent in pieces is one message: its bytes joined are its encoding.
      const joined = new WireReader(gather(reader, start, end, dataTag, true));
      this.#data({ reader, ranges }, joined, 0, joined.length);
    }
    reader.pos = end;
  }

  /**
   * Walks the data message of a metric: temporality and monotonicity first, because they come after the points.
   *
   * *Shape* `Gauge | Summary { data_points = 1 }`, `Histogram | ExponentialHistogram { data_points = 1; temporality = 2 }`, `Sum { data_points = 1; temporality = 2; is_monotonic = 3 }`
   */
  #data(names: { reader: WireReader; ranges: NameRanges }, reader: WireReader, start: number, end: number): void {
    let temporality = 0;
    let monotonic = false;
    if (this.#kind !== 'gauge' && this.#kind !== 'summary') {
      reader.pos = start;
      while (reader.pos < end) {
        const tag = reader.tag(end);
        if (tag === 0x10) temporality = reader.varint32(end);
        else if (tag === 0x18 && this.#kind === 'sum') monotonic = reader.varint32(end) !== 0 || reader.high !== 0;
        else reader.skip(tag, end);
      }
    }
    // A number that the enum does not have means none, and the finder's key has room for the enum only.
    if (temporality > 2) temporality = 0;
    this.#finder.metric(names.reader, names.ranges, { kind: this.#kind, temporality, monotonic });
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.tag(end);
      if (tag === 0x0a) this.#point(reader, reader.limit(end));
      else reader.skip(tag, end);
    }
  }

  #point(reader: WireReader, end: number): void {
    switch (this.#kind) {
      case 'gauge':
      case 'sum':
        this.#numberPoint(reader, end);
        return;
      case 'histogram':
        this.#histogramPoint(reader, end);
        return;
      case 'exponential_histogram':
        this.#exponentialPoint(reader, end);
        return;
      case 'summary':
        this.#summaryPoint(reader, end);
    }
  }

  #numberPoint(reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    readNumberPoint(reader, end, header, this.#number);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null) return;
    const series = this.#series(reader, start, end, numberAttributes, noBounds);
    this.#points.push(series, header.timeMs, this.#number.value, header.startMs, header.flags);
    this.#records++;
    if (header.hasExemplars) this.#readExemplars(reader, start, end, numberExemplars, series);
  }

  #histogramPoint(reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    const { bounds, ...point } = readHistogramPoint(reader, end, header);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null) return;
    if (!bucketsFit(point.bucketCounts.length, bounds.length)) return;
    const series = this.#series(reader, start, end, histogramTags.attributes, bounds);
    this.#histograms.push({ series, ...times(header), ...point });
    this.#records++;
    if (header.hasExemplars) this.#readExemplars(reader, start, end, histogramTags.exemplars, series);
  }

  #exponentialPoint(reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    const point = readExponentialPoint(reader, end, header);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null || !scaleFits(point.scale)) return;
    const series = this.#series(reader, start, end, exponentialTags.attributes, noBounds);
    this.#exponentials.push({ series, ...times(header), ...point });
    this.#records++;
    if (header.hasExemplars) this.#readExemplars(reader, start, end, exponentialTags.exemplars, series);
  }

  #summaryPoint(reader: WireReader, end: number): void {
    const start = reader.pos;
    const header = this.#header;
    const point = readSummaryPoint(reader, end, header);
    if (refusalOfTime(header.timeMs, this.#bounds) !== null) return;
    const series = this.#series(reader, start, end, summaryTags.attributes, noBounds);
    this.#summaries.push({ series, ...times(header), ...point });
    this.#records++;
  }

  /** The series of the point just read; announced when it is new, or still not confirmed since the last hand-over. */
  #series(reader: WireReader, start: number, end: number, attributesTag: number, bounds: readonly number[]) {
    const series = this.#finder.find(reader, start, end, this.#header, attributesTag, bounds);
    if (!series.confirmed && series.announced !== this.#handover) {
      series.announced = this.#handover;
      this.#newSeries.push(series);
    }
    return series;
  }

  #readExemplars(reader: WireReader, start: number, end: number, tag: number, series: SeriesEntry): void {
    reader.pos = start;
    while (reader.pos < end) {
      const found = reader.tag(end);
      if (found === tag) {
        const row = readExemplar(reader, reader.limit(end), series, this.#finder.strings);
        if (refusalOfTime(row.timeMs, this.#bounds) === null) this.#exemplars.push(row);
      } else reader.skip(found, end);
    }
  }
}

const times = ({ timeMs, startMs, flags }: PointHeader) => ({ timeMs, startMs, flags });
