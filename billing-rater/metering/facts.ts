import { Decimal } from 'streams/contract';
import { type CounterPoint, counterSteps, gapMs } from 'streams/otlp';
import type { FactTotal } from './quantity.ts';

/** Length of a fact's bucket: the greatest step that every zone's periods and tariffs are multiples of. */
export const bucketSeconds = 900;
/** How long a sample of a time-weighted meter holds when no other follows. */
export const holdSeconds = 900;

/** A usage event as metering reads it; identity is (source, id). */
export interface MeteredEvent {
  readonly source: string;
  readonly id: string;
  readonly timeMs: number;
  readonly value: Decimal;
}

/** A sample as metering reads it. `group` names its point attributes; samples of one group follow each other whatever process sent them. */
export interface MeteredSample {
  readonly group: string;
  readonly timeMs: number;
  /** Null ends the hold without a value: no recorded value, an inexact integer, not finite. */
  readonly value: Decimal | null;
}

export type FactsByBucket = ReadonlyMap<number, FactTotal>;

const bucketOf = (second: number) => Math.floor(second / bucketSeconds) * bucketSeconds;

/** Facts of a sum meter by bucket start (seconds since the epoch). The first event of an identity counts; order and batching change nothing else. */
export function sumFacts(events: Iterable<MeteredEvent>): FactsByBucket {
  const seen = new Set<string>();
  const facts = new Map<number, FactTotal>();
  for (const event of events) {
    const identity = JSON.stringify([event.source, event.id]);
    if (seen.has(identity)) continue;
    seen.add(identity);
    const bucket = bucketOf(Math.floor(event.timeMs / 1000));
    const before = facts.get(bucket);
    facts.set(bucket, {
      value: (before?.value ?? Decimal.zero).add(event.value),
      seconds: Decimal.zero,
      events: (before?.events ?? 0) + 1,
    });
  }
  return facts;
}

/** Length of the union of half-open intervals. */
function coveredSeconds(intervals: readonly (readonly [number, number])[]): number {
  let covered = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const [begins, ends] of intervals.toSorted((a, b) => a[0] - b[0])) {
    covered += Math.max(0, ends - Math.max(begins, reached));
    reached = Math.max(reached, ends);
  }
  return covered;
}

/**
 * Facts of a time-weighted meter by bucket start: the rule of `sql/insert-time-weighted-facts.sql` in plain code, which the engine is tested against.
 *
 * *Units* value is unit-seconds, seconds are measured seconds (at least one group holds a value). Whole seconds: a sample counts from the second it falls in, the last one of a second wins.
 */
export function timeWeightedFacts(samples: Iterable<MeteredSample>): FactsByBucket {
  const groups = new Map<string, Map<number, MeteredSample>>();
  for (const sample of samples) {
    const group = groups.get(sample.group) ?? new Map<number, MeteredSample>();
    groups.set(sample.group, group);
    const second = Math.floor(sample.timeMs / 1000);
    const before = group.get(second);
    if (before === undefined || sample.timeMs >= before.timeMs) group.set(second, sample);
  }
  const pieces = new Map<number, { value: Decimal; events: number; intervals: [number, number][] }>();
  for (const group of groups.values()) {
    const ordered = [...group].toSorted((a, b) => a[0] - b[0]);
    ordered.forEach(([second, { value }], index) => {
      if (value === null) return;
      const finish = Math.min(second + holdSeconds, ordered[index + 1]?.[0] ?? Number.POSITIVE_INFINITY);
      for (let bucket = bucketOf(second); bucket < finish; bucket += bucketSeconds) {
        const begins = Math.max(second, bucket);
        const ends = Math.min(finish, bucket + bucketSeconds);
        const piece = pieces.get(bucket) ?? { value: Decimal.zero, events: 0, intervals: [] };
        piece.value = piece.value.add(value.multiply(Decimal.of(BigInt(ends - begins))));
        piece.events += second >= bucket ? 1 : 0;
        piece.intervals.push([begins, ends]);
        pieces.set(bucket, piece);
      }
    });
  }
  return new Map(
    [...pieces].map(([bucket, { value, events, intervals }]) => [
      bucket,
      { value, seconds: Decimal.of(BigInt(coveredSeconds(intervals))), events },
    ]),
  );
}

const hourMs = 3_600_000;
/** How far ahead of an hour the points decide about its last ones. */
const aheadMs = 900_000;

/**
 * Facts of one series of a counter meter by bucket start: the rule of `sql/insert-counter-facts.sql` in plain code, which the engine is tested against.
 *
 * *Units* value is growth; seconds are seconds between counted points at most five minutes apart. *Shape* points are usable, one a millisecond.
 */
export function counterFacts(points: readonly CounterPoint[], temporality: 'cumulative' | 'delta'): FactsByBucket {
  const ordered = points.toSorted((a, b) => a.timeMs - b.timeMs);
  const pieces = new Map<number, { value: Decimal; events: number; intervals: [number, number][] }>();
  const pieceOf = (bucket: number) => {
    const piece = pieces.get(bucket) ?? { value: Decimal.zero, events: 0, intervals: [] };
    pieces.set(bucket, piece);
    return piece;
  };
  const hours = new Set(
    ordered.flatMap(({ timeMs }) => [
      Math.floor(timeMs / hourMs) * hourMs,
      Math.floor(timeMs / hourMs) * hourMs - hourMs,
    ]),
  );
  for (const hour of hours) {
    const seen = ordered.filter(({ timeMs }) => timeMs >= hour - hourMs && timeMs < hour + hourMs + aheadMs);
    const bases =
      temporality === 'delta' ? deltaBases(seen) : counterSteps(seen, hour - hourMs).map(({ base }) => base);
    seen.forEach(({ timeMs, value }, index) => {
      const base = bases[index] ?? null;
      if (base === null || timeMs < hour || timeMs >= hour + hourMs + gapMs) return;
      const ends = Math.floor(timeMs / 1000);
      const previous = seen[index - 1]?.timeMs ?? timeMs;
      const begins = timeMs - previous <= gapMs ? Math.floor(previous / 1000) : ends;
      for (const bucket of new Set([bucketOf(begins), bucketOf(ends)])) {
        if (bucket * 1000 < hour || bucket * 1000 >= hour + hourMs) continue;
        const piece = pieceOf(bucket);
        piece.intervals.push([Math.max(begins, bucket), Math.min(ends, bucket + bucketSeconds)]);
        if (bucket !== bucketOf(ends)) continue;
        piece.value = piece.value.add(Decimal.parse(String(value)).subtract(Decimal.parse(String(base))));
        piece.events += 1;
      }
    });
  }
  return new Map(
    [...pieces].map(([bucket, { value, events, intervals }]) => [
      bucket,
      { value, seconds: Decimal.of(BigInt(coveredSeconds(intervals))), events },
    ]),
  );
}

/** A delta point counts whole, unless its interval begins before the point before it. */
function deltaBases(points: readonly CounterPoint[]): (number | null)[] {
  return points.map(({ startMs, timeMs }, index) => {
    const previous = points[index - 1]?.timeMs;
    const known = startMs > 0 && startMs <= timeMs;
    return previous !== undefined && known && startMs < previous - 1000 ? null : 0;
  });
}
