import { AppError } from 'streams/contract';
import type { Position } from './known-at.ts';
import type { DueHour, HourWork, MeteredSignal, MeteringStore } from './ports.ts';

const hourSeconds = 3600;

export interface MeteringJobDeps {
  readonly store: MeteringStore;
  /** How far the telemetry consumer has committed: everything below is in the tables. */
  storedPositions(): Promise<readonly Position[]>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Tenant-hours in one statement. */
  readonly chunkHours: number;
  onProgress?(done: number, total: number): void;
  onRefused?(hour: DueHour, code: string): void;
}

/** A sample near the end of an hour holds into the next one, so the next hour's facts follow from both. */
export function withNextHours(due: readonly DueHour[]): Omit<DueHour, 'signal'>[] {
  const hours = new Map<string, Omit<DueHour, 'signal'>>();
  for (const { tenant, hour, version, partition } of due) {
    for (const reached of [hour, hour + hourSeconds]) {
      const key = `${tenant}/${reached}`;
      const before = hours.get(key)?.version ?? 0;
      hours.set(key, { tenant, hour: reached, partition, version: Math.max(before, version) });
    }
  }
  return [...hours.values()];
}

/** A statement reads the whole time between its first and last hour, so one chunk does not span a longer gap than this. */
const gapHoursMax = 24;

/** Cuts hours that ascend into chunks of at most `size` without a wide gap. */
export function* chunksOf(hours: readonly DueHour[], size: number): Generator<DueHour[]> {
  let chunk: DueHour[] = [];
  for (const due of hours) {
    const previous = chunk.at(-1);
    const apart = previous !== undefined && due.hour - previous.hour > gapHoursMax * hourSeconds;
    if (chunk.length === size || apart) {
      yield chunk;
      chunk = [];
    }
    chunk.push(due);
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Computes and marks one chunk. A chunk that the engine refuses for good (a sum beyond `Decimal(38, 12)`, too much for one statement) is halved until the hour is found;
 * that hour alone is marked refused, so that one tenant's values hold up nobody else.
 */
async function meterChunk(
  deps: MeteringJobDeps,
  signal: MeteredSignal,
  chunk: readonly DueHour[],
  between: ReadonlyMap<number, { readonly from: number; readonly to: number }>,
): Promise<void> {
  const hours = signal === 'metrics' ? withNextHours(chunk) : chunk;
  const work: HourWork[] = hours.map(({ tenant, hour, version, partition }) => ({
    tenant,
    hour,
    version,
    partition,
    position: between.get(partition)?.to ?? 0,
    completed: between.get(partition)?.from ?? 0,
  }));
  try {
    await deps.store.writeFacts(signal, work);
  } catch (error) {
    if (!(error instanceof AppError) || error.retryable || error.code === 'lease.lost') throw error;
    const [only] = chunk;
    if (only === undefined) throw error;
    if (chunk.length === 1) {
      await deps.store.markMetered(chunk, error.code);
      deps.onRefused?.(only, error.code);
      return;
    }
    const half = Math.ceil(chunk.length / 2);
    await meterChunk(deps, signal, chunk.slice(0, half), between);
    await meterChunk(deps, signal, chunk.slice(half), between);
    return;
  }
  await deps.store.markMetered(chunk, '');
}

/**
 * One run: facts of all hours touched since the last completed run are computed anew and appended under their new version, then the run's positions are completed.
 *
 * *Shape* only offsets below the consumer's commit are looked at: the ledger row of a batch stands before its rows do. Interrupted anywhere, the next run does the same work again or the rest of it;
 * facts of a completed position never change, because later work always carries a higher version and a run that was overtaken by another one writes nothing.
 * *Errors* `lease.lost`, besides those of the store.
 */
export async function runMetering(deps: MeteringJobDeps): Promise<{ hours: number }> {
  const at = deps.now();
  const stored = await deps.storedPositions();
  const completed = await deps.store.completed();
  const from = new Map(completed.positions.map(({ partition, next }) => [partition, next]));
  const reached = stored.map(({ partition, next }) => ({ partition, next: Math.max(next, from.get(partition) ?? 0) }));
  const due = await deps.store.due(
    reached.map(({ partition, next }) => ({ partition, from: from.get(partition) ?? 0, to: next })),
  );
  const between = new Map(completed.positions.map(({ partition, next }) => [partition, { from: next, to: next }]));
  for (const { partition, next } of reached) between.set(partition, { from: from.get(partition) ?? 0, to: next });
  let done = 0;
  for (const signal of ['events', 'metrics'] satisfies MeteredSignal[]) {
    const own = due.filter((hour) => hour.signal === signal).toSorted((a, b) => a.hour - b.hour || a.tenant - b.tenant);
    for (const chunk of chunksOf(own, deps.chunkHours)) {
      await meterChunk(deps, signal, chunk, between);
      done += chunk.length;
      deps.onProgress?.(done, due.length);
    }
  }
  if (stored.length > 0) await deps.store.complete(reached, at);
  return { hours: due.length };
}
