import { randomUUID } from 'node:crypto';
import { AppError } from 'streams/contract';
import type { Log } from 'streams/log';
import { type Store, storeGroup } from 'streams/store';
import { type MinuteMasks, toHourMasks } from './minute-masks.ts';
import { defaultObjective } from './objectives.ts';
import {
  dueHoursQuery,
  errorMinutesQuery,
  markPosition,
  markRead,
  probeRunsQuery,
  readPositionsQuery,
  storedHoursQuery,
} from './queries.ts';

const hourSeconds = 3600;
/** Tenant-hours that one statement reads: some 60 minutes a probe each in the engine's memory. */
const chunkHoursMax = 300;
/** A statement reads every hour between its first and its last, so a chunk keeps together. */
const chunkSpanHoursMax = 48;
const gapHoursMax = 2;
const limits = { maxMemoryBytes: 256 * 1024 * 1024, timeoutSeconds: 60 };
/** A mark of the position spares a restart some looking: no need for one a run. */
const positionEveryMs = 60_000;
/** MEMORY_LIMIT_EXCEEDED, and TIMEOUT_EXCEEDED: less at a time may fit. */
const tooMuch = new Set(['241', '159']);

/** An hour whose masks are out of date. *Units* seconds since the epoch. */
export interface DueHour {
  readonly tenant: number;
  readonly hour: number;
  readonly partition: number;
}

export interface SlaJobOptions {
  readonly store: Store;
  readonly log: Pick<Log, 'committed'>;
  /** Milliseconds of a monotonic clock. */
  readonly elapsedMs: () => number;
  /** One run computes for at most this long before it looks for newer hours again. */
  readonly runMs?: number;
  /** Told of an hour that cannot be computed; it stays as it was until its next batch. */
  readonly onRefused?: (hour: DueHour, error: AppError) => void;
}

/** Keeps `sla_hour` abreast of the stored metrics. */
export interface SlaJob {
  /** Computes due hours, newest first, as long as one run lasts. Returns how many were computed and how many are left. */
  run(): Promise<{ computed: number; waiting: number }>;
  /** Ends the run in hand after its chunk. */
  stop(): void;
}

/** The hours to compute next: the newest, as many of one partition as one statement may read. */
export function nextChunk(due: readonly DueHour[]): DueHour[] {
  const sorted = due.toSorted((a, b) => b.hour - a.hour || a.tenant - b.tenant);
  const first = sorted[0];
  const chunk: DueHour[] = [];
  for (const item of sorted) {
    if (first === undefined || item.partition !== first.partition) continue;
    const before = chunk.at(-1) ?? first;
    const apart = before.hour - item.hour > gapHoursMax * hourSeconds;
    const long = first.hour - item.hour >= chunkSpanHoursMax * hourSeconds;
    if (apart || long || chunk.length >= chunkHoursMax) break;
    chunk.push(item);
  }
  return chunk;
}

interface MaskRow extends MinuteMasks {
  readonly tenant: number;
  readonly hour: number;
}

/** Masks of the hours of a chunk and of their neighbours, which a point near the edge reaches into; neighbours that hold nothing stay out. */
async function computeMasks(store: Store, chunk: readonly DueHour[]): Promise<MaskRow[]> {
  const tenants = [...new Set(chunk.map((item) => item.tenant))];
  const first = Math.min(...chunk.map((item) => item.hour)) - hourSeconds;
  const until = Math.max(...chunk.map((item) => item.hour)) + 2 * hourSeconds;
  const stored = await store.query(storedHoursQuery, { tenants, from: first, to: until }, limits);
  const due = new Set(chunk.map((item) => `${item.tenant}/${item.hour}`));
  const wanted = stored.filter(({ tenant, hour }) =>
    [hour - hourSeconds, hour, hour + hourSeconds].some((near) => due.has(`${tenant}/${near}`)),
  );
  if (wanted.length === 0) return [];
  const hours = wanted.map((item) => item.hour);
  const { requestsPerMinuteMin: minimum, errorRatioMax: limit } = defaultObjective;
  const range = { tenants, start: Math.min(...hours) * 1000, end: (Math.max(...hours) + hourSeconds) * 1000 };
  const probes = await store.query(probeRunsQuery, range, limits);
  const requests = await store.query(errorMinutesQuery, { ...range, minimum, limit }, limits);
  const probesOf = Map.groupBy(probes, (row) => row.tenantNumber);
  const requestsOf = Map.groupBy(requests, (row) => row.tenantNumber);
  const masksOf = new Map(
    tenants.map((tenant) => [
      tenant,
      toHourMasks(probesOf.get(tenant) ?? [], requestsOf.get(tenant) ?? [], defaultObjective),
    ]),
  );
  const none = { measured: 0n, bad: 0n };
  return wanted.map(({ tenant, hour }) => ({
    tenant,
    hour,
    ...(masksOf.get(tenant)?.get(hour / hourSeconds) ?? none),
  }));
}

async function writeMasks(store: Store, rows: readonly MaskRow[], version: number): Promise<void> {
  const columns = [
    { name: 'tenant', type: 'UInt32', values: Uint32Array.from(rows, (row) => row.tenant) },
    { name: 'bucket', type: 'DateTime', values: Uint32Array.from(rows, (row) => row.hour) },
    { name: 'measured', type: 'UInt64', values: BigUint64Array.from(rows, (row) => row.measured) },
    { name: 'bad', type: 'UInt64', values: BigUint64Array.from(rows, (row) => row.bad) },
    { name: 'version', type: 'UInt64', values: BigUint64Array.from(rows, () => BigInt(version)) },
  ];
  // Computing an hour again is another write, also under the same version: the last one stands.
  await store.insert({ table: 'sla_hour', rows: rows.length, columns }, `sla-${randomUUID()}`);
}

/**
 * Recomputes the masks of the hours that batches of metrics touched.
 *
 * *Shape* an hour is due while a committed batch touched it after its mark. The position is read before the samples, so whatever comes later makes the hour due again. The masks are
 * written before the mark: interrupted anywhere, the next run does the same work again.
 */
export function createSlaJob(options: SlaJobOptions): SlaJob {
  const { store, log, elapsedMs } = options;
  const runMs = options.runMs ?? 5_000;
  const due = new Map<string, DueHour>();
  const scanned = new Map<number, number>();
  const drained = new Map<number, number>();
  let markedAtMs = Number.NEGATIVE_INFINITY;
  let started = false;
  let stopped = false;

  async function scan(): Promise<Map<number, number>> {
    if (!started) {
      for (const { partition, reached } of await store.query(readPositionsQuery, {})) {
        scanned.set(partition, reached);
        drained.set(partition, reached);
      }
      started = true;
    }
    const reached = new Map<number, number>();
    for (const { partition, next } of await log.committed('telemetry', storeGroup)) {
      reached.set(partition, next);
      const from = scanned.get(partition) ?? 0;
      if (next <= from) continue;
      for (const row of await store.query(dueHoursQuery, { partition, from, to: next }, limits)) {
        due.set(`${row.tenant}/${row.hour}`, { ...row, partition });
      }
      scanned.set(partition, next);
    }
    return reached;
  }

  async function compute(chunk: readonly DueHour[], next: number): Promise<void> {
    try {
      const rows = await computeMasks(store, chunk);
      await writeMasks(store, rows, Math.max(0, next - 1));
    } catch (error) {
      if (!(error instanceof AppError) || !isTooMuch(error)) throw error;
      if (chunk.length === 1) {
        for (const hour of chunk) options.onRefused?.(hour, error);
        return;
      }
      const half = Math.ceil(chunk.length / 2);
      await compute(chunk.slice(0, half), next);
      await compute(chunk.slice(half), next);
      return;
    }
    const tenants = chunk.map((item) => item.tenant);
    await store.execute(markRead, { tenants, hours: chunk.map((item) => item.hour), next });
  }

  return {
    async run() {
      const began = elapsedMs();
      const reached = await scan();
      let computed = 0;
      while (due.size > 0 && !stopped && elapsedMs() - began < runMs) {
        const chunk = nextChunk([...due.values()]);
        await compute(chunk, reached.get(chunk[0]?.partition ?? 0) ?? 0);
        for (const item of chunk) due.delete(`${item.tenant}/${item.hour}`);
        computed += chunk.length;
      }
      if (due.size === 0 && elapsedMs() - markedAtMs >= positionEveryMs) {
        markedAtMs = elapsedMs();
        for (const [partition, next] of scanned) {
          if (drained.get(partition) === next) continue;
          await store.execute(markPosition, { partition, next });
          drained.set(partition, next);
        }
      }
      return { computed, waiting: due.size };
    },
    stop() {
      stopped = true;
    },
  };
}

const isTooMuch = (error: AppError): boolean => tooMuch.has(String(error.context['engineCode']));
