import type { ByteHash } from './byte-hash.ts';
import type { SeriesEntry } from './port.ts';

type IdentityWords = readonly [number, number, number, number];

const none: ReadonlyMap<string, string> = new Map();

/** A series as the cache holds it. Its attributes are joined on demand and let go once the store has them: they are most of an entry's memory. */
export class CachedSeries implements SeriesEntry {
  // What every point looks at stands first, to lie in one cache line.
  #raw1 = 0;
  #raw2 = 0;
  #raw3 = 0;
  #raw4 = 0;
  #generation = -1;
  #confirmed = false;
  /** The series that came after this one last time: exporters send in the same order every interval. */
  next: CachedSeries | null = null;
  readonly tenant: number;
  readonly metric: string;
  readonly kind: SeriesEntry['kind'];
  readonly temporality: SeriesEntry['temporality'];
  readonly monotonic: boolean;
  readonly unit: string;
  readonly scope: string;
  readonly bounds: readonly number[];
  // The identity as words: an array of its own would be a third of an entry's memory.
  readonly #word1: number;
  readonly #word2: number;
  readonly #word3: number;
  readonly #word4: number;
  #own: ReadonlyMap<string, string>;
  #shared: ReadonlyMap<string, string>;
  id: bigint;
  minTimeMs = Number.POSITIVE_INFINITY;
  maxTimeMs = Number.NEGATIVE_INFINITY;
  rangeBatch = -1;
  settledMinMs = Number.POSITIVE_INFINITY;
  settledMaxMs = Number.NEGATIVE_INFINITY;
  complete = false;
  /** The hand-over in which the entry was last announced as new. */
  announced = -1;

  constructor(
    header: Pick<SeriesEntry, 'tenant' | 'metric' | 'kind' | 'temporality' | 'monotonic' | 'unit' | 'scope' | 'bounds'>,
    attributes: { own: ReadonlyMap<string, string>; shared: ReadonlyMap<string, string> },
    identity: Uint8Array,
    id: bigint,
  ) {
    this.tenant = header.tenant;
    this.metric = header.metric;
    this.kind = header.kind;
    this.temporality = header.temporality;
    this.monotonic = header.monotonic;
    this.unit = header.unit;
    this.scope = header.scope;
    this.bounds = header.bounds;
    this.#own = attributes.own;
    this.#shared = attributes.shared;
    [this.#word1, this.#word2, this.#word3, this.#word4] = wordsOf(identity);
    this.id = id;
  }

  /** Whether the young generation `generation` holds the entry under `key`. */
  isUnder(key: ByteHash, generation: number): boolean {
    return (
      this.#raw1 === key.h1 &&
      this.#raw2 === key.h2 &&
      this.#raw3 === key.h3 &&
      this.#raw4 === key.h4 &&
      this.#generation === generation
    );
  }

  /** Notes the key that it was put under last, for {@link isUnder}. */
  noteKey(key: ByteHash, generation: number): void {
    this.#raw1 = key.h1;
    this.#raw2 = key.h2;
    this.#raw3 = key.h3;
    this.#raw4 = key.h4;
    this.#generation = generation;
  }

  get identity(): Uint8Array {
    return new Uint8Array(Int32Array.of(...this.identityWords).buffer);
  }

  get identityWords(): IdentityWords {
    return [this.#word1, this.#word2, this.#word3, this.#word4];
  }

  get confirmed(): boolean {
    return this.#confirmed;
  }

  set confirmed(value: boolean) {
    this.#confirmed = value;
    if (!value) return;
    this.#own = none;
    this.#shared = none;
  }

  get attributes(): ReadonlyMap<string, string> {
    return new Map([...this.#own, ...this.#shared]);
  }
}

/** Open-addressing table of 128-bit keys in one typed array: no object a key, no hashing of strings. */
class KeyTable {
  #keys: Int32Array;
  #entries: (CachedSeries | undefined)[];
  #mask: number;
  size = 0;

  constructor(capacity = 1024) {
    this.#keys = new Int32Array(capacity * 4);
    this.#entries = new Array<CachedSeries | undefined>(capacity).fill(undefined);
    this.#mask = capacity - 1;
  }

  get(h1: number, h2: number, h3: number, h4: number): CachedSeries | undefined {
    const keys = this.#keys;
    for (let slot = h1 & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = this.#entries[slot];
      if (entry === undefined) return undefined;
      const at = slot << 2;
      if (keys[at] === h1 && keys[at + 1] === h2 && keys[at + 2] === h3 && keys[at + 3] === h4) return entry;
    }
  }

  put(h1: number, h2: number, h3: number, h4: number, entry: CachedSeries): void {
    if (this.size * 2 > this.#mask) this.#grow();
    let slot = h1 & this.#mask;
    for (; this.#entries[slot] !== undefined; slot = (slot + 1) & this.#mask) {
      const at = slot << 2;
      const keys = this.#keys;
      if (keys[at] === h1 && keys[at + 1] === h2 && keys[at + 2] === h3 && keys[at + 3] === h4) {
        this.#entries[slot] = entry;
        return;
      }
    }
    this.#entries[slot] = entry;
    this.#keys.set([h1, h2, h3, h4], slot << 2);
    this.size++;
  }

  #grow(): void {
    const keys = this.#keys;
    const entries = this.#entries;
    const capacity = (this.#mask + 1) * 2;
    this.#keys = new Int32Array(capacity * 4);
    this.#entries = new Array<CachedSeries | undefined>(capacity).fill(undefined);
    this.#mask = capacity - 1;
    this.size = 0;
    entries.forEach((entry, slot) => {
      const [h1 = 0, h2 = 0, h3 = 0, h4 = 0] = keys.subarray(slot << 2, (slot << 2) + 4);
      if (entry !== undefined) this.put(h1, h2, h3, h4, entry);
    });
  }
}

/**
 * Series by the hash of their raw bytes, and by canonical identity so that two spellings of one series share an entry.
 *
 * *Shape* two generations: when the young one holds half of `maxSeries` keys, the old one is dropped and the young one becomes old; a hit in the old one moves the entry to the young one.
 * Both indexes turn over together, so an entry reachable by bytes is always reachable by identity. At most `maxSeries` keys are held.
 */
export class SeriesCache {
  readonly #generationMax: number;
  #generation = 0;
  #last: CachedSeries | null = null;
  #raw = new KeyTable();
  #oldRaw = new KeyTable();
  #identity = new KeyTable();
  #oldIdentity = new KeyTable();

  constructor(maxSeries: number) {
    this.#generationMax = Math.max(1, Math.floor(maxSeries / 2));
  }

  get size(): number {
    return this.#raw.size + this.#oldRaw.size;
  }

  /** The series under a key. The one that followed the last one found before is tried first: in the tables, every point would be a cache miss of the processor. */
  get(key: ByteHash): CachedSeries | undefined {
    const guess = this.#last?.next;
    if (guess?.isUnder(key, this.#generation)) {
      this.#last = guess;
      return guess;
    }
    const found = this.#lookUp(key);
    if (found !== undefined) {
      if (this.#last !== null) this.#last.next = found;
      this.#last = found;
    }
    return found;
  }

  #lookUp(key: ByteHash): CachedSeries | undefined {
    const { h1, h2, h3, h4 } = key;
    const young = this.#raw.get(h1, h2, h3, h4);
    if (young !== undefined) return young;
    const old = this.#oldRaw.get(h1, h2, h3, h4);
    if (old !== undefined) this.put(key, old);
    return old;
  }

  byIdentity(tenant: number, identity: Uint8Array): CachedSeries | undefined {
    const [h1, h2, h3, h4] = lanes(tenant, wordsOf(identity));
    return this.#identity.get(h1, h2, h3, h4) ?? this.#oldIdentity.get(h1, h2, h3, h4);
  }

  put(key: ByteHash, entry: CachedSeries): void {
    if (this.#raw.size >= this.#generationMax) {
      this.#oldRaw = this.#raw;
      this.#oldIdentity = this.#identity;
      this.#raw = new KeyTable();
      this.#identity = new KeyTable();
      this.#generation++;
    }
    this.#raw.put(key.h1, key.h2, key.h3, key.h4, entry);
    entry.noteKey(key, this.#generation);
    const [h1, h2, h3, h4] = lanes(entry.tenant, entry.identityWords);
    this.#identity.put(h1, h2, h3, h4, entry);
  }
}

function lanes(tenant: number, [first, second, third, fourth]: IdentityWords): IdentityWords {
  return [first ^ tenant, second, third, fourth];
}

/** Little-endian, as this process has them in memory. */
function wordsOf(identity: Uint8Array): IdentityWords {
  const view = new DataView(identity.buffer, identity.byteOffset, identity.byteLength);
  return [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true), view.getInt32(12, true)];
}
