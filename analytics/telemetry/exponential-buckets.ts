import type { Buckets } from './buckets.ts';

/**
 * Observations in buckets whose bounds are powers of 2^(2^-scale): bucket i holds (base^i, base^(i+1)], on the negative side the mirrored interval; `zero` those of at most `zeroThreshold`.
 *
 * *Source* OpenTelemetry metrics data model, exponential histogram.
 */
export interface ExponentialBuckets {
  readonly scale: number;
  readonly zero: number;
  readonly zeroThreshold: number;
  readonly positive: ReadonlyMap<number, number>;
  readonly negative: ReadonlyMap<number, number>;
}

/** One side as it is stored: consecutive counts from `offset` on. */
export function sideOf(offset: number, counts: readonly number[]): Map<number, number> {
  const side = new Map<number, number>();
  for (const [i, count] of counts.entries()) if (count !== 0) side.set(offset + i, count);
  return side;
}

function coarser(side: ReadonlyMap<number, number>, by: number): ReadonlyMap<number, number> {
  if (by === 0) return side;
  const merged = new Map<number, number>();
  const width = 2 ** by;
  for (const [index, count] of side) {
    const to = Math.floor(index / width);
    merged.set(to, (merged.get(to) ?? 0) + count);
  }
  return merged;
}

/** The same observations at a lower scale; exact, because each bucket falls whole into one of the coarser ones. */
export function atScale(buckets: ExponentialBuckets, scale: number): ExponentialBuckets {
  const by = buckets.scale - scale;
  return {
    ...buckets,
    scale,
    positive: coarser(buckets.positive, by),
    negative: coarser(buckets.negative, by),
  };
}

function combine(
  a: ExponentialBuckets,
  b: ExponentialBuckets,
  add: (x: number, y: number) => number,
): ExponentialBuckets {
  const scale = Math.min(a.scale, b.scale);
  const [left, right] = [atScale(a, scale), atScale(b, scale)];
  const side = (x: ReadonlyMap<number, number>, y: ReadonlyMap<number, number>) => {
    const sum = new Map(x);
    for (const [index, count] of y) sum.set(index, add(sum.get(index) ?? 0, count));
    return sum;
  };
  return {
    scale,
    zero: add(left.zero, right.zero),
    zeroThreshold: Math.max(left.zeroThreshold, right.zeroThreshold),
    positive: side(left.positive, right.positive),
    negative: side(left.negative, right.negative),
  };
}

/** Adds at the lower of both scales; exact. */
export const addBuckets = (a: ExponentialBuckets, b: ExponentialBuckets) => combine(a, b, (x, y) => x + y);

/** What was observed between two points of one cumulative series. *Bias* a bucket that shrank without its count falling is taken as unchanged. */
export const subtractBuckets = (later: ExponentialBuckets, earlier: ExponentialBuckets) =>
  combine(later, earlier, (x, y) => Math.max(0, x - y));

/** Below the smallest positive double there is nothing, above the largest no bound. */
const boundOf = (index: number, scale: number) => 2 ** (index * 2 ** -scale);

/** The value below which a fraction of the observations lies; between the bounds of a bucket it grows exponentially, in the zero bucket evenly; null without observations. */
export function quantileOfExponential(level: number, buckets: ExponentialBuckets): number | null {
  const { scale, zero, zeroThreshold } = buckets;
  const negative = [...buckets.negative].filter(([, n]) => n > 0).sort(([a], [b]) => b - a);
  const positive = [...buckets.positive].filter(([, n]) => n > 0).sort(([a], [b]) => a - b);
  const ranges = [
    ...negative.map(([i, n]) => ({ n, from: -boundOf(i + 1, scale), to: -boundOf(i, scale) })),
    ...(zero > 0
      ? [{ n: zero, from: negative.length > 0 ? -zeroThreshold : 0, to: positive.length > 0 ? zeroThreshold : 0 }]
      : []),
    ...positive.map(([i, n]) => ({ n, from: boundOf(i, scale), to: boundOf(i + 1, scale) })),
  ];
  const total = ranges.reduce((sum, { n }) => sum + n, 0);
  if (!(total > 0)) return null;
  let below = 0;
  for (const { n, from, to } of ranges) {
    if (below + n >= level * total) {
      const share = (level * total - below) / n;
      const even = from * to <= 0;
      const value = even ? from + (to - from) * share : from * (to / from) ** share;
      return Number.isFinite(value) ? value : from;
    }
    below += n;
  }
  return ranges.at(-1)?.to ?? null;
}

/** The same observations with explicit bounds, so that they can be added to those of an explicit histogram. */
export function toExplicit(buckets: ExponentialBuckets): Buckets {
  const { scale, zero, zeroThreshold } = buckets;
  const bounds: number[] = [];
  const counts: number[] = [];
  const close = (upper: number, count: number) => {
    const last = bounds.at(-1);
    if (last !== undefined && upper <= last) {
      counts[counts.length - 1] = (counts.at(-1) ?? 0) + count;
      return;
    }
    bounds.push(upper);
    counts.push(count);
  };
  for (const [i, n] of [...buckets.negative].sort(([a], [b]) => b - a)) {
    close(-boundOf(i + 1, scale), 0);
    close(-boundOf(i, scale), n);
  }
  if (zero > 0 || bounds.length > 0) close(zeroThreshold, zero);
  for (const [i, n] of [...buckets.positive].sort(([a], [b]) => a - b)) {
    close(boundOf(i, scale), 0);
    close(boundOf(i + 1, scale), n);
  }
  return { bounds, counts: [...counts, 0] };
}
