import { z } from 'zod';
import type { Signal } from '../contract/index.ts';
import type { LogRow, SeriesEntry, SpanRow } from '../otlp/port.ts';
import { defineQuery } from './define-query.ts';
import { type HourLedger, hourOf } from './hour-ledger.ts';
import type { Block, Column, Query, Store } from './port.ts';

const storedRow = z.object({ tenant: z.number(), hour: z.number(), stored: z.coerce.number() });
const hours = { fromHour: z.number().int(), toHour: z.number().int() };
const storedPoints = defineQuery({
  file: new URL('./sql/stored-points.sql', import.meta.url),
  params: z.object({ table: z.string(), ...hours }),
  row: storedRow,
});
const storedSpans = defineQuery({
  file: new URL('./sql/stored-spans.sql', import.meta.url),
  params: z.object(hours),
  row: storedRow,
});
const storedLogs = defineQuery({
  file: new URL('./sql/stored-logs.sql', import.meta.url),
  params: z.object(hours),
  row: storedRow,
});
const touchedHours = defineQuery({
  file: new URL('./sql/touched-hours.sql', import.meta.url),
  params: z.object({ signal: z.string(), tenants: z.array(z.number().int()) }),
  row: z.object({ tenant: z.number(), hour: z.number() }),
});

/** Which (tenant, hour)s may hold rows that this process has not seen going by. */
export class TouchedHours {
  readonly #store: Store;
  readonly #signal: Signal;
  /** Hours handed over before the last time an entry of unknown history appeared. */
  readonly #past = new Map<number, Set<number>>();
  /** Hours handed over at all. */
  readonly #all = new Map<number, Set<number>>();

  constructor(store: Store, signal: Signal) {
    this.#store = store;
    this.#signal = signal;
  }

  async load(tenants: Iterable<number>): Promise<void> {
    const missing = [...new Set(tenants)].filter((tenant) => !this.#all.has(tenant));
    if (missing.length === 0) return;
    const rows = await this.#store.query(touchedHours, { signal: this.#signal, tenants: missing });
    for (const tenant of missing) {
      this.#all.set(tenant, new Set());
      this.#past.set(tenant, new Set());
    }
    for (const { tenant, hour } of rows) {
      this.#all.get(tenant)?.add(hour);
      this.#past.get(tenant)?.add(hour);
    }
  }

  /** Everything handed over so far is past for this tenant: an entry came back whose points were not watched. */
  forget(tenant: number): void {
    const past = this.#past.get(tenant);
    if (past) for (const hour of this.#all.get(tenant) ?? []) past.add(hour);
  }

  isPast(tenant: number, hour: number): boolean {
    return this.#past.get(tenant)?.has(hour) ?? true;
  }
  has(tenant: number, hour: number): boolean {
    return this.#all.get(tenant)?.has(hour) ?? true;
  }
  add(tenant: number, hour: number): void {
    this.#all.get(tenant)?.add(hour);
  }
}

/** Points of one table in columns; `at` names the i-th point's series and time. */
export interface PointKeys {
  readonly table: 'samples' | 'histograms' | 'exponential_histograms' | 'summaries';
  readonly length: number;
  readonly series: ArrayLike<SeriesEntry>;
  readonly timeMs: ArrayLike<number>;
}

/** Points that may be duplicates. *Shape* indexes in order; `asked[i]` says that point `indexes[i]` may be stored already, otherwise it can only repeat another point of the batch. */
export interface Suspects {
  readonly indexes: number[];
  readonly asked: boolean[];
}

/**
 * Widens the ranges of the entries and returns the points that may be duplicates. `batch` is a new number a call for the same table.
 *
 * *Bias* every duplicate is among them: a point is cleared only when its time lies outside the range seen in this process and either the series began in it or
 * nothing of the tenant's hour was handed over before. Whether the table must be asked is decided in the same way by the range as it stood before the batch.
 */
export function markSuspects(points: PointKeys, touched: TouchedHours, batch: number): Suspects {
  const indexes: number[] = [];
  const asked: boolean[] = [];
  let tenant = -1;
  let hour = -1;
  let past = false;
  for (let index = 0; index < points.length; index++) {
    const entry = points.series[index] as SeriesEntry;
    const time = points.timeMs[index] as number;
    if (entry.rangeBatch !== batch) {
      entry.rangeBatch = batch;
      entry.settledMinMs = entry.minTimeMs;
      entry.settledMaxMs = entry.maxTimeMs;
    }
    let inside = true;
    if (time > entry.maxTimeMs) {
      entry.maxTimeMs = time;
      inside = false;
    }
    if (time < entry.minTimeMs) {
      entry.minTimeMs = time;
      inside = false;
    }
    if (!inside && entry.complete) continue;
    let mayBeStored = time >= entry.settledMinMs && time <= entry.settledMaxMs;
    if (!entry.complete) {
      const at = hourOf(time);
      if (at !== hour || entry.tenant !== tenant) {
        hour = at;
        tenant = entry.tenant;
        past = touched.isPast(tenant, hour);
      }
      if (!inside && !past) continue;
      mayBeStored ||= past;
    }
    indexes.push(index);
    asked.push(mayBeStored);
  }
  return { indexes, asked };
}

async function addStored<P extends { fromHour: number; toHour: number }>(
  run: { store: Store; ledger: HourLedger; signal: Signal },
  query: Query<P, z.output<typeof storedRow>>,
  params: Omit<P, 'fromHour' | 'toHour'>,
  keys: { block: Block; timesMs: readonly number[] },
): Promise<void> {
  if (keys.block.rows === 0) return;
  let fromHour = Number.POSITIVE_INFINITY;
  let toHour = 0;
  for (const time of keys.timesMs) {
    const hour = hourOf(time);
    if (hour < fromHour) fromHour = hour;
    if (hour > toHour) toHour = hour;
  }
  const rows = await run.store.query(query, { ...params, fromHour, toHour } as P, { keys: keys.block });
  for (const row of rows) run.ledger.at(run.signal, row.tenant, row.hour).duplicates += row.stored;
}

/**
 * Adds the exact number of duplicates among `suspects` to the ledger: repeats inside the batch and points stored already.
 *
 * *Shape* of the points of one identity all but the first count, and the first too when it is stored. With s suspects and n (0 or 1) cleared points that is s − 1 + n + stored.
 */
export async function countPointDuplicates(
  run: { store: Store; ledger: HourLedger },
  points: PointKeys,
  { indexes: suspects, asked }: Suspects,
): Promise<void> {
  if (suspects.length === 0) return;
  const byEntry = new Map<SeriesEntry, Set<number> | undefined>();
  const byIdentity = new Map<string, Set<number>>();
  const timesOf = (entry: SeriesEntry, create: boolean): Set<number> | undefined => {
    let times = byEntry.get(entry);
    if (times !== undefined || (!create && byEntry.has(entry))) return times;
    // An entry that was evicted and made anew within the batch is another object of the same series.
    const key = `${entry.tenant}/${entry.id}`;
    times = byIdentity.get(key);
    if (times === undefined && create) {
      times = new Set();
      byIdentity.set(key, times);
    }
    byEntry.set(entry, times);
    return times;
  };
  const keys = { tenant: [] as number[], series: [] as bigint[], time: [] as number[] };
  suspects.forEach((index, at) => {
    const entry = points.series[index] as SeriesEntry;
    const time = points.timeMs[index] as number;
    const times = timesOf(entry, true) as Set<number>;
    if (times.has(time)) {
      run.ledger.at('metrics', entry.tenant, hourOf(time)).duplicates++;
      return;
    }
    times.add(time);
    if (asked[at] !== true) return;
    keys.tenant.push(entry.tenant);
    keys.series.push(entry.id);
    keys.time.push(time);
  });
  let nextSuspect = 0;
  for (let index = 0; index < points.length; index++) {
    if (suspects[nextSuspect] === index) {
      nextSuspect++;
      continue;
    }
    const entry = points.series[index] as SeriesEntry;
    const time = points.timeMs[index] as number;
    if (timesOf(entry, false)?.has(time)) run.ledger.at('metrics', entry.tenant, hourOf(time)).duplicates++;
  }
  const block = {
    table: 'keys',
    rows: keys.time.length,
    columns: [
      { name: 'tenant', type: 'UInt32', values: keys.tenant },
      { name: 'series', type: 'UInt64', values: keys.series },
      { name: 'time', type: "DateTime64(3, 'UTC')", values: Float64Array.from(keys.time) },
    ],
  };
  await addStored({ ...run, signal: 'metrics' }, storedPoints, { table: points.table }, { block, timesMs: keys.time });
}

const milliseconds = (ns: bigint) => Number(ns / 1_000_000n);
const latin = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

async function countRowDuplicates<T extends { timeNs: bigint; serviceName: string }>(
  run: { store: Store; ledger: HourLedger; signal: Signal; touched: TouchedHours },
  rows: readonly { tenant: number; row: T }[],
  identity: { of(row: T): string; columns(rows: readonly T[]): Column[]; query: typeof storedSpans },
): Promise<void> {
  const seen = new Set<string>();
  const asked: { tenant: number; row: T }[] = [];
  for (const item of rows) {
    const hour = hourOf(milliseconds(item.row.timeNs));
    const key = `${item.tenant}/${item.row.timeNs}/${item.row.serviceName}/${identity.of(item.row)}`;
    if (seen.has(key)) run.ledger.at(run.signal, item.tenant, hour).duplicates++;
    else if (run.touched.has(item.tenant, hour)) asked.push(item);
    seen.add(key);
  }
  const block = {
    table: 'keys',
    rows: asked.length,
    columns: [
      { name: 'tenant', type: 'UInt32', values: asked.map((item) => item.tenant) },
      { name: 'time', type: "DateTime64(9, 'UTC')", values: asked.map((item) => item.row.timeNs) },
      { name: 'service', type: 'String', values: asked.map((item) => item.row.serviceName) },
      ...identity.columns(asked.map((item) => item.row)),
    ],
  };
  const timesMs = asked.map((item) => milliseconds(item.row.timeNs));
  await addStored(run, identity.query, {}, { block, timesMs });
}

/** Adds the exact number of duplicate spans to the ledger; rows in hours never handed over before cost nothing. */
export async function countSpanDuplicates(
  run: { store: Store; ledger: HourLedger; touched: TouchedHours },
  spans: readonly { tenant: number; row: SpanRow }[],
): Promise<void> {
  await countRowDuplicates({ ...run, signal: 'traces' }, spans, {
    of: (row) => latin(row.traceId) + latin(row.spanId),
    columns: (rows) => [
      { name: 'trace_id', type: 'FixedString(16)', values: rows.map((row) => row.traceId) },
      { name: 'span_id', type: 'FixedString(8)', values: rows.map((row) => row.spanId) },
    ],
    query: storedSpans,
  });
}

/** Adds the exact number of duplicate log records to the ledger, as {@link countSpanDuplicates}. */
export async function countLogDuplicates(
  run: { store: Store; ledger: HourLedger; touched: TouchedHours },
  logs: readonly { tenant: number; row: LogRow }[],
): Promise<void> {
  await countRowDuplicates({ ...run, signal: 'logs' }, logs, {
    of: (row) => String(row.hash),
    columns: (rows) => [{ name: 'hash', type: 'UInt64', values: rows.map((row) => row.hash) }],
    query: storedLogs,
  });
}
