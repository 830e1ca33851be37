/**
 * Observations by bucket: `counts[i]` lie in (`bounds[i - 1]`, `bounds[i]`], the last one above the last bound.
 *
 * *Shape* `counts.length` = `bounds.length` + 1.
 */
export interface Buckets {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/**
 * The value below which a fraction of the observations lies, linear inside its bucket; null without observations.
 *
 * *Bias* The first bucket is taken to begin at 0 when its bound is positive; above the last bound the answer is the last bound, so it errs low there.
 * *Source* Prometheus `histogram_quantile`.
 */
export function quantileOfBuckets(level: number, buckets: Buckets): number | null {
  const { bounds, counts } = buckets;
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!(total > 0) || bounds.length === 0) return null;
  const rank = level * total;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    const reached = below + count;
    if (reached >= rank && count > 0) {
      const upper = bounds[i];
      if (upper === undefined) return bounds.at(-1) ?? null;
      const lower = i > 0 ? bounds[i - 1] : undefined;
      if (lower === undefined && upper <= 0) return upper;
      const from = lower ?? 0;
      return from + (upper - from) * ((rank - below) / count);
    }
    below = reached;
  }
  return bounds.at(-1) ?? null;
}

/** Observations at or below `value`, linear inside a bucket, so that histograms with other bounds can be added. */
function countBelow(value: number, buckets: Buckets): number {
  let below = 0;
  for (const [i, count] of buckets.counts.entries()) {
    const upper = buckets.bounds[i];
    if (upper === undefined) return below;
    if (upper <= value) {
      below += count;
      continue;
    }
    const lower = i > 0 ? (buckets.bounds[i - 1] ?? 0) : Math.min(0, upper);
    const share = value <= lower ? 0 : (value - lower) / (upper - lower);
    return below + count * share;
  }
  return below;
}

/** Adds histograms. *Bias* exact for equal bounds; otherwise observations are spread evenly inside their bucket. */
export function mergeBuckets(parts: readonly Buckets[]): Buckets {
  const first = parts[0];
  if (first === undefined) return { bounds: [], counts: [] };
  const same = parts.every(
    (p) => p.bounds.length === first.bounds.length && p.bounds.every((b, i) => b === first.bounds[i]),
  );
  if (same) {
    return {
      bounds: first.bounds,
      counts: first.counts.map((_, i) => parts.reduce((sum, part) => sum + (part.counts[i] ?? 0), 0)),
    };
  }
  const bounds = [...new Set(parts.flatMap((part) => part.bounds))].sort((a, b) => a - b);
  const total = parts.reduce((sum, part) => sum + part.counts.reduce((s, c) => s + c, 0), 0);
  const cumulative = bounds.map((bound) => parts.reduce((sum, part) => sum + countBelow(bound, part), 0));
  const counts = cumulative.map((value, i) => value - (cumulative[i - 1] ?? 0));
  return { bounds, counts: [...counts, total - (cumulative.at(-1) ?? 0)] };
}
