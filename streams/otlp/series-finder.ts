import { StringCache } from './attribute-reader.ts';
import { ByteHash } from './byte-hash.ts';
import { findPart, type MessagePart, readPart } from './message-part.ts';
import { gather, type PointHeader } from './point-readers.ts';
import type { SeriesEntry } from './port.ts';
import { readAttributes, readScope, type ScopeParts } from './resource-reader.ts';
import { CachedSeries, SeriesCache } from './series-cache.ts';
import { canonicalIdentity, type IdentityHash, seriesId } from './series-identity.ts';
import { WireReader } from './wire-reader.ts';

/** What a metric's header says beside its name and unit. */
export interface MetricHeader {
  readonly kind: SeriesEntry['kind'];
  /** The enum's number: 1 delta, 2 cumulative. */
  readonly temporality: number;
  readonly monotonic: boolean;
}

/** Where a metric's name and unit stand. */
export interface NameRanges {
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly unitStart: number;
  readonly unitEnd: number;
}

const nothing = findPart(new WireReader(new Uint8Array(0)), 0, 0, 0x0a);

/**
 * Finds the series of a point by a 128-bit hash of raw bytes: tenant, resource, scope, name, unit, kind and attributes. Only a miss decodes attributes; the canonical
 * identity (attribute order does not matter) then finds an entry made from another spelling, or makes a new one.
 *
 * *Shape* the levels are entered from the outside: {@link resource}, {@link scope}, {@link metric}, then {@link find} a point. Each level's hash goes on from the one above.
 */
export class SeriesFinder {
  readonly #cache: SeriesCache;
  readonly #hash: IdentityHash;
  readonly strings = new StringCache();
  readonly #key = new ByteHash();
  readonly #resourceKey = new ByteHash();
  readonly #scopeKey = new ByteHash();
  readonly #metricKey = new ByteHash();
  #boundsScratch = new DataView(new ArrayBuffer(8 * 64));
  #tenant = 0;
  #resource: MessagePart = nothing;
  #resourceAttributes: ReadonlyMap<string, string> | null = null;
  #scope: MessagePart = nothing;
  #scopeParts: ScopeParts | null = null;
  /** `name@version` and the prefixed attributes of resource and scope, which all new series under one scope share. */
  #scopeName = '';
  #shared: ReadonlyMap<string, string> = new Map();
  #names: WireReader = nothing.reader;
  #ranges: NameRanges = { nameStart: 0, nameEnd: 0, unitStart: 0, unitEnd: 0 };
  #header: MetricHeader = { kind: 'gauge', temporality: 0, monotonic: false };
  /** The series found last under this metric and where its attributes stand: points of one series often follow each other. */
  #last: CachedSeries | null = null;
  #lastReader: WireReader = nothing.reader;
  #lastStart = 0;
  #lastLength = 0;

  constructor(maxSeries: number, hash: IdentityHash) {
    this.#cache = new SeriesCache(maxSeries);
    this.#hash = hash;
  }

  resource(tenant: number, part: MessagePart): void {
    this.#tenant = tenant;
    this.#resource = part;
    this.#resourceAttributes = null;
    this.#resourceKey.seed(tenant, 0x5bd1e995, 0x2f0b4c6d, 0x7ed55d16);
    this.#resourceKey.range(part.reader.view, part.start, part.end);
  }

  scope(part: MessagePart): void {
    this.#scope = part;
    this.#scopeParts = null;
    this.#scopeKey.copy(this.#resourceKey);
    this.#scopeKey.range(part.reader.view, part.start, part.end);
  }

  metric(names: WireReader, ranges: NameRanges, header: MetricHeader): void {
    this.#names = names;
    this.#ranges = ranges;
    this.#header = header;
    this.#last = null;
    const key = this.#metricKey;
    key.copy(this.#scopeKey);
    key.range(names.view, ranges.nameStart, ranges.nameEnd);
    key.range(names.view, ranges.unitStart, ranges.unitEnd);
    key.number(header.kind.length * 8 + header.temporality * 2 + (header.monotonic ? 1 : 0));
  }

  /** The series of the point that stands between `start` and `end` of `reader` and whose header was read. */
  find(
    reader: WireReader,
    start: number,
    end: number,
    header: PointHeader,
    attributesTag: number,
    bounds: readonly number[],
  ): CachedSeries {
    const length = header.attributesEnd - header.attributesStart;
    const isPlain = !header.split && bounds.length === 0;
    if (
      isPlain &&
      this.#last !== null &&
      reader === this.#lastReader &&
      length === this.#lastLength &&
      reader.isSame(header.attributesStart, this.#lastStart, length)
    )
      return this.#last;
    const key = this.#key;
    key.copy(this.#metricKey);
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
      this.#cache.get(key) ?? this.#newEntry({ reader: from, start: first, end: last }, attributesTag, bounds);
    this.#last = isPlain ? series : null;
    this.#lastReader = reader;
    this.#lastStart = header.attributesStart;
    this.#lastLength = length;
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

  #newEntry(attributes: MessagePart, attributesTag: number, bounds: readonly number[]): CachedSeries {
    const { strings } = this;
    const pointAttributes = readPart(attributes, (reader, end) => readAttributes(reader, end, attributesTag, strings));
    this.#resourceAttributes ??= readPart(this.#resource, (reader, end) => readAttributes(reader, end, 0x0a, strings));
    const {
      name: scopeName,
      version: scopeVersion,
      attributes: scopeAttributes,
    } = this.#readScope(this.#resourceAttributes);
    const { nameStart, nameEnd, unitStart, unitEnd } = this.#ranges;
    const { kind, temporality, monotonic } = this.#header;
    const metric = strings.read(this.#names, nameStart, nameEnd);
    const description = {
      metric,
      kind,
      temporality: temporality === 2 ? 'cumulative' : temporality === 1 ? 'delta' : '',
      monotonic,
      unit: strings.read(this.#names, unitStart, unitEnd),
      bounds: bounds.length === 0 ? bounds : [...bounds],
    } as const;
    const resourceAttributes = this.#resourceAttributes;
    const identified = {
      ...description,
      scopeName,
      scopeVersion,
      resourceAttributes,
      scopeAttributes,
      pointAttributes,
    };
    const identity = Uint8Array.from(this.#hash(canonicalIdentity(identified)).subarray(0, 16));
    const known = this.#cache.byIdentity(this.#tenant, identity);
    const entry =
      known ??
      new CachedSeries(
        { ...description, tenant: this.#tenant, scope: this.#scopeName },
        { own: pointAttributes, shared: this.#shared },
        identity,
        seriesId(this.#hash(metric), identity),
      );
    this.#cache.put(this.#key, entry);
    return entry;
  }

  #readScope(resourceAttributes: ReadonlyMap<string, string>): ScopeParts {
    if (this.#scopeParts !== null) return this.#scopeParts;
    const parts = readPart(this.#scope, (reader, end) => readScope(reader, end, this.strings));
    this.#scopeName = `${parts.name}@${parts.version}`;
    this.#shared = prefixed(resourceAttributes, parts.attributes);
    this.#scopeParts = parts;
    return parts;
  }
}

/** Names of attributes as they stand in a series: `scope.NAME`, `resource.NAME`. */
function prefixed(resource: ReadonlyMap<string, string>, scope: ReadonlyMap<string, string>): Map<string, string> {
  const shared = new Map<string, string>();
  for (const [name, value] of scope) shared.set(`scope.${name}`, value);
  for (const [name, value] of resource) shared.set(`resource.${name}`, value);
  return shared;
}
