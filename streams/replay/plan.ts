import { AppError } from '../contract/index.ts';
import type { KnownBatch } from '../store/lost-ranges.ts';
import type { Position, ReplayScope } from './port.ts';

const hourSeconds = 3600;
/** Longest range of one replay: the shadow holds all of it, and a longer one is two. */
const daysMax = 62;

/**
 * Reads `[from, to)` as whole UTC hours of occurred-at.
 *
 * *Errors* `replay.range_invalid` (400) with the field.
 */
export function parseRange(from: string, to: string): { readonly fromHour: number; readonly toHour: number } {
  const hour = (text: string, field: string) => {
    const ms = Date.parse(text);
    if (!/^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/.test(text) || Number.isNaN(ms) || ms % (hourSeconds * 1000) !== 0 || ms < 0)
      throw new AppError(
        'replay.range_invalid',
        `${field} is not the start of a UTC hour, such as 2026-11-20T00:00:00Z`,
        {
          status: 400,
          field,
        },
      );
    return ms / 1000;
  };
  const [fromHour, toHour] = [hour(from, 'from'), hour(to, 'to')];
  if (toHour <= fromHour)
    throw new AppError('replay.range_invalid', 'to lies behind from: the range is half-open', {
      status: 400,
      field: 'to',
    });
  if (toHour - fromHour > daysMax * 24 * hourSeconds)
    throw new AppError('replay.range_invalid', `at most ${daysMax} days at a time`, { status: 400, field: 'to' });
  return { fromHour, toHour };
}

/**
 * The range with an hour on either side: the facts and minutes there follow from the first and last values of the range too (a hold, a counter's edge, the minutes between two probes).
 */
export function widened(scope: ReplayScope): ReplayScope {
  return { ...scope, fromHour: Math.max(0, scope.fromHour - hourSeconds), toHour: scope.toHour + hourSeconds };
}

/** Partition ids of a table that a scope reaches into: `YYYYMMDD` or `YYYYMM`, in order. */
export function partitionsOf(scope: ReplayScope, partition: 'day' | 'month' | 'none'): string[] {
  if (partition === 'none') return ['all'];
  const ids = new Set<string>();
  for (let hour = scope.fromHour; hour < scope.toHour; hour += hourSeconds) {
    const day = new Date(hour * 1000).toISOString().slice(0, 10).replaceAll('-', '');
    ids.add(partition === 'day' ? day : day.slice(0, 6));
  }
  return [...ids];
}

/** Batches that a stage takes: those that end below the cut-off and above the one before, in the order of the log. */
export function batchesUpTo(
  batches: readonly KnownBatch[],
  taken: ReadonlySet<string>,
  positions: readonly Position[],
): KnownBatch[] {
  const next = new Map(positions.map((position) => [position.partition, position.next]));
  return batches
    .filter((batch) => !taken.has(batch.token) && batch.last < (next.get(batch.partition) ?? 0))
    .toSorted((a, b) => a.partition - b.partition || a.first - b.first);
}

/** Cut-offs in their order, those beyond the end left out. Cut-offs of one log are a chain: what is later in one partition is not earlier in another. */
export function stagesOf(cutOffs: readonly (readonly Position[])[], end: readonly Position[]): (readonly Position[])[] {
  const sum = (positions: readonly Position[]) => positions.reduce((total, { next }) => total + next, 0);
  const last = new Map(end.map(({ partition, next }) => [partition, next]));
  const known = new Map<string, readonly Position[]>();
  for (const positions of cutOffs) {
    if (positions.every(({ partition, next }) => next <= (last.get(partition) ?? 0)))
      known.set(JSON.stringify(positions.toSorted((a, b) => a.partition - b.partition)), positions);
  }
  return [...known.values()].toSorted((a, b) => sum(a) - sum(b));
}

/** Batches that the log no longer holds, or that belong to a log before this one. */
export function goneBatches(
  batches: readonly KnownBatch[],
  epoch: string,
  offsets: readonly { readonly partition: number; readonly first: number }[],
): KnownBatch[] {
  const first = new Map(offsets.map((offset) => [offset.partition, offset.first]));
  return batches.filter((batch) => batch.epoch !== epoch || batch.first < (first.get(batch.partition) ?? 0));
}
