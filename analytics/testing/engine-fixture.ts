import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { TenantRecord } from 'streams/contract';
import { TenantId } from 'streams/contract';
import { createChdbStore, type Store } from 'streams/store';
import { copyEmptyStore } from 'streams/store/test-store';

/** A started engine of a test in a directory of its own. */
export async function openEngine(): Promise<{ store: Store; close(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'pulse-analytics-'));
  await copyEmptyStore(dir);
  const store = createChdbStore({
    dir,
    memoryBytes: 600e6,
    connections: 2,
    logger: pino({ level: 'silent' }),
    clock: { now: () => Date.UTC(2026, 10, 20) },
  });
  await store.start();
  return {
    store,
    async close() {
      await store.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Inserts rows written as SQL tuples. *Shape* an `INSERT … SELECT`, because the store puts its settings behind the statement. */
export async function insertRows(
  store: Store,
  table: string,
  columns: readonly string[],
  rows: readonly string[],
): Promise<void> {
  const fields = columns.map((_, i) => `row.${i + 1}`).join();
  await store.execute(
    `INSERT INTO ${table} (${columns.join()}) SELECT ${fields} FROM (SELECT arrayJoin([${rows.join()}]) AS row)`,
  );
}

/** A tenant of a test. */
export function tenantRecord(number: number, overrides: Partial<TenantRecord> = {}): TenantRecord {
  return {
    id: TenantId.parse(`isp-${number}`),
    number,
    name: `ISP ${number}`,
    tier: 'small',
    plan: 'professional',
    region: 'eu-west',
    currency: 'EUR',
    timeZone: 'UTC',
    partnerId: null,
    state: 'active',
    createdAt: '2026-01-01T00:00:00Z',
    ...overrides,
  };
}

/** A series id as the writer makes it: a metric prefix in the upper 16 bits. */
export const seriesId = (metric: number, series: number): string =>
  ((BigInt(metric) << 48n) | BigInt(series)).toString();

/** Writes a series row. */
export async function addSeries(
  store: Store,
  row: {
    tenant: number;
    metric: string;
    series: string;
    kind: string;
    temporality?: string;
    monotonic?: boolean;
    unit?: string;
    bounds?: number[];
    attributes?: Record<string, string>;
  },
): Promise<void> {
  const attributes = Object.entries(row.attributes ?? {})
    .map(([k, v]) => `'${k}','${v}'`)
    .join();
  await insertRows(
    store,
    'series',
    ['tenant', 'metric', 'series', 'kind', 'temporality', 'monotonic', 'unit', 'bounds', 'attributes'],
    [
      `(${row.tenant}, '${row.metric}', ${row.series}, '${row.kind}', '${row.temporality ?? ''}', ${row.monotonic === true}, '${row.unit ?? '1'}', [${(row.bounds ?? []).join()}], map(${attributes}))`,
    ],
  );
}

/** Writes samples. *Units* milliseconds since the epoch. */
export async function addSamples(
  store: Store,
  tenant: number,
  series: string,
  points: readonly (readonly [number, number])[],
): Promise<void> {
  const rows = points.map(([ms, value]) => `(${tenant}, ${series}, fromUnixTimestamp64Milli(${ms}), ${value}, 4000)`);
  await insertRows(store, 'samples', ['tenant', 'series', 'time', 'value', 'retention_days'], rows);
}

/** Writes histogram points. *Units* milliseconds since the epoch. */
export async function addHistograms(
  store: Store,
  tenant: number,
  series: string,
  points: readonly { ms: number; count: number; sum?: number; buckets?: number[] }[],
): Promise<void> {
  const rows = points.map(
    (p) =>
      `(${tenant}, ${series}, fromUnixTimestamp64Milli(${p.ms}), ${p.count}, ${p.sum ?? 0}, nan, nan, [${(p.buckets ?? []).join()}], 4000)`,
  );
  await insertRows(
    store,
    'histograms',
    ['tenant', 'series', 'time', 'count', 'sum', 'min', 'max', 'bucket_counts', 'retention_days'],
    rows,
  );
}
