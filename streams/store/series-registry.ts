import { z } from 'zod';
import { invariant } from '../contract/index.ts';
import type { SeriesEntry } from '../otlp/port.ts';
import { defineQuery } from './define-query.ts';
import type { Block, Store } from './port.ts';

const seriesLookup = defineQuery({
  file: new URL('./sql/series-lookup.sql', import.meta.url),
  params: z.object({}),
  row: z.object({ tenant: z.number(), series: z.string(), identity: z.string() }),
});

const lowBits = (1n << 48n) - 1n;
/** The next id of the same metric prefix, where a series goes whose own is taken. */
const nextId = (id: bigint) => (id & ~lowBits) | ((id + 1n) & lowBits);
const keyOf = (entry: SeriesEntry) => `${entry.tenant}/${entry.id}`;
const hexOf = (identity: Uint8Array) => Buffer.from(identity).toString('hex').toUpperCase();

function keyBlock(entries: readonly SeriesEntry[]): Block {
  return {
    table: 'keys',
    rows: entries.length,
    columns: [
      { name: 'tenant', type: 'UInt32', values: entries.map((entry) => entry.tenant) },
      { name: 'series', type: 'UInt64', values: entries.map((entry) => entry.id) },
    ],
  };
}

/** Rows of new series for table `series`. */
export function seriesBlock(entries: readonly SeriesEntry[], firstSeenMs: number): Block {
  const column = (name: string, type: string, of: (entry: SeriesEntry) => unknown) => ({
    name,
    type,
    values: entries.map(of),
  });
  return {
    table: 'series',
    rows: entries.length,
    columns: [
      column('tenant', 'UInt32', (entry) => entry.tenant),
      column('metric', 'String', (entry) => entry.metric),
      column('series', 'UInt64', (entry) => entry.id),
      column('identity', 'FixedString(16)', (entry) => entry.identity),
      column('kind', 'String', (entry) => entry.kind),
      column('temporality', 'String', (entry) => entry.temporality),
      column('monotonic', 'Bool', (entry) => entry.monotonic),
      column('unit', 'String', (entry) => entry.unit),
      column('scope', 'String', (entry) => entry.scope),
      column('bounds', 'Array(Float64)', (entry) => entry.bounds),
      column('attributes', 'Map(String, String)', (entry) => entry.attributes),
      column('first_seen', "DateTime('UTC')", () => Math.floor(firstSeenMs / 1000)),
    ],
  };
}

/** Rounds of the look-up: each resolves one more collision of 48 bits on the same chain. */
const chainMax = 64;

/**
 * Makes the ids of new entries certain against table `series`: same identity → confirmed; another identity → the next free id; absent → inserted.
 *
 * *Shape* one query when nothing collides. Ids are settled before the first of their samples is written, so a redelivered batch finds the same ids. Returns the tenants for which an
 * entry was already stored: what was stored under it before this process is unknown.
 */
export async function settleSeries(
  store: Store,
  announced: Iterable<SeriesEntry>,
  batch: { token: string; at: number },
): Promise<Set<number>> {
  const known = new Set<number>();
  const taken = new Map<string, string>();
  const fresh: SeriesEntry[] = [];
  const settled = new Set<SeriesEntry>();
  let open = [...new Set(announced)].filter((entry) => !entry.confirmed);
  for (let round = 0; open.length > 0; round++) {
    invariant(round < chainMax, 'series ids collide on a chain longer than any hash gives');
    for (const row of await store.query(seriesLookup, {}, { keys: keyBlock(open) })) {
      taken.set(`${row.tenant}/${row.series}`, row.identity);
    }
    const moved: SeriesEntry[] = [];
    for (const entry of open) {
      const holder = taken.get(keyOf(entry));
      const identity = hexOf(entry.identity);
      if (holder === undefined) {
        taken.set(keyOf(entry), identity);
        fresh.push(entry);
      } else if (holder === identity) {
        known.add(entry.tenant);
        settled.add(entry);
      } else {
        entry.id = nextId(entry.id);
        moved.push(entry);
      }
    }
    open = moved;
  }
  // The batch's token alone would drop a different list of new series when an earlier attempt stopped half-way: the ids are part of it.
  const suffix = fresh.reduce((sum, entry) => BigInt.asUintN(64, sum * 31n + entry.id), 0n).toString(36);
  if (fresh.length > 0) await store.insert(seriesBlock(fresh, batch.at), `${batch.token}.series.${suffix}`);
  for (const entry of fresh) {
    entry.complete = true;
    entry.confirmed = true;
  }
  for (const entry of settled) entry.confirmed = true;
  return known;
}
