import type { BucketSide, RemoteHistogram, RemoteWriteReason } from './port.ts';

/** More than any schema fills in practice (64 powers of two at schema 8); beyond it a few bytes of spans would stand for megabytes of zeros. */
const denseBucketsMax = 16_384;

const schemaMin = -4;
const schemaMax = 8;
const customBuckets = -53;
const hintReset = 1;

/** One side of an exponential histogram. *Shape* OTLP: bucket i holds (base^i, base^(i+1)], so `offset` is Prometheus' index minus one. */
export interface DenseBuckets {
  readonly offset: number;
  readonly counts: readonly number[];
}

/** A native histogram as OTLP says it. Counts are whole numbers within 2^53. */
export type HistogramPoint = {
  readonly timeMs: number;
  readonly startMs: number;
  /** Nothing but the time is meant: the series ends here. */
  readonly isStale: boolean;
  readonly count: number;
  readonly sum: number;
} & (
  | {
      readonly kind: 'exponential';
      readonly scale: number;
      readonly zeroCount: number;
      readonly zeroThreshold: number;
      readonly negative: DenseBuckets;
      readonly positive: DenseBuckets;
    }
  | { readonly kind: 'explicit'; readonly bounds: readonly number[]; readonly counts: readonly number[] }
);

export interface HistogramFault {
  readonly reason: RemoteWriteReason;
  readonly why: string;
}

const fault = (reason: RemoteWriteReason, why: string): HistogramFault => ({ reason, why });

/**
 * Translates a native histogram: schemas −4…8 to an exponential histogram, −53 (custom buckets) to one with explicit bounds.
 *
 * *Bias* nothing is rounded: a float histogram is taken when all its counts are whole, otherwise refused.
 * *Source* Prometheus, "Native histograms"; the checks are those of its `histogram.Validate`.
 */
export function toHistogramPoint(sent: RemoteHistogram, startMs: number): HistogramPoint | HistogramFault {
  const { timeMs, sum } = sent;
  // A reset between the scrapes shows as a start after the point before.
  const start = startMs === 0 && sent.resetHint === hintReset ? timeMs - 1 : startMs;
  const head = { timeMs, startMs: start, isStale: sent.isStale, sum };
  if (sent.isStale) {
    const none = { offset: 0, counts: [] };
    const empty = { count: 0, scale: 0, zeroCount: 0, zeroThreshold: 0, negative: none, positive: none };
    return { ...head, ...empty, kind: 'exponential' };
  }
  const isCustom = sent.schema === customBuckets;
  if (!isCustom && !(sent.schema >= schemaMin && sent.schema <= schemaMax)) {
    return fault('histogram_schema', `schema ${sent.schema} is none of -53, -4…8`);
  }
  if (sent.isInexact) return fault('histogram_invalid', 'a count is beyond 2^53');
  const totals = totalsOf(sent);
  if ('reason' in totals) return totals;
  if (isCustom) return toExplicit(sent, totals.positive, { ...head, count: sent.count });
  if (sent.customValues.length > 0) return fault('histogram_invalid', 'custom values need schema -53');
  const negative = toDense(sent.negative.spans, totals.negative);
  if ('reason' in negative) return negative;
  const positive = toDense(sent.positive.spans, totals.positive);
  if ('reason' in positive) return positive;
  const { count, schema, zeroCount, zeroThreshold } = sent;
  return { ...head, kind: 'exponential', count, scale: schema, zeroCount, zeroThreshold, negative, positive };
}

/** Counts of both sides, checked against each other and against the count of the whole. */
function totalsOf(sent: RemoteHistogram): { negative: number[]; positive: number[] } | HistogramFault {
  const negative = countsOf(sent.negative, sent.isFloat);
  const positive = countsOf(sent.positive, sent.isFloat);
  const counts = [sent.count, sent.zeroCount, ...negative, ...positive];
  if (counts.some((count) => Number.isNaN(count) || count < 0)) {
    return fault('histogram_invalid', 'a count is negative or not a number');
  }
  if (sent.isFloat && !counts.every(Number.isInteger)) {
    return fault('fractional_count', 'a count of a float histogram is not whole');
  }
  if (!counts.every(Number.isSafeInteger)) return fault('histogram_invalid', 'a count is beyond 2^53');
  const inBuckets = sent.zeroCount + total(negative) + total(positive);
  // NaN observations are counted and stand in no bucket. Float histograms may have lost digits on their way.
  const fits = Number.isNaN(sent.sum) ? inBuckets <= sent.count : inBuckets === sent.count;
  if (!fits && !sent.isFloat) {
    return fault('histogram_invalid', `${inBuckets} observations are in buckets and the count is ${sent.count}`);
  }
  return { negative, positive };
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

function countsOf(side: BucketSide, isFloat: boolean): number[] {
  if (isFloat) return side.counts;
  let last = 0;
  return side.deltas.map((delta) => {
    last += delta;
    return last;
  });
}

/** Index of each count, by the spans; null when spans and counts do not fit. */
function indexesOf(spans: readonly number[], counts: readonly number[]): number[] | null {
  const indexes: number[] = [];
  let index = 0;
  for (let i = 0; i < spans.length; i += 2) {
    const offset = spans[i] ?? 0;
    const length = spans[i + 1] ?? 0;
    if (i > 0 && offset < 0) return null;
    if (indexes.length + length > counts.length) return null;
    index += offset;
    for (let bucket = 0; bucket < length; bucket++) indexes.push(index++);
  }
  return indexes.length === counts.length ? indexes : null;
}

function toDense(spans: readonly number[], counts: readonly number[]): DenseBuckets | HistogramFault {
  const indexes = indexesOf(spans, counts);
  if (indexes === null) return fault('histogram_invalid', 'spans and buckets do not fit');
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return { offset: 0, counts: [] };
  const last = counts.findLastIndex((count) => count > 0);
  const start = indexes[first] ?? 0;
  const length = (indexes[last] ?? 0) - start + 1;
  if (length > denseBucketsMax) return fault('bucket_range', `buckets span ${length}, more than ${denseBucketsMax}`);
  if (!isInt32(start - 1) || !isInt32(start + length)) return fault('bucket_range', `bucket ${start} is out of range`);
  const dense = new Array<number>(length).fill(0);
  for (let i = first; i <= last; i++) dense[(indexes[i] ?? 0) - start] = counts[i] ?? 0;
  return { offset: start - 1, counts: dense };
}

const isInt32 = (value: number): boolean => value === (value | 0);

function toExplicit(
  sent: RemoteHistogram,
  positive: readonly number[],
  head: Pick<HistogramPoint, 'timeMs' | 'startMs' | 'isStale' | 'count' | 'sum'>,
): HistogramPoint | HistogramFault {
  const bounds = sent.customValues;
  if (bounds.length > denseBucketsMax) return fault('bucket_range', `more than ${denseBucketsMax} custom bounds`);
  const isRising = bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > (bounds[i - 1] ?? bound)));
  if (!isRising) return fault('histogram_invalid', 'custom bounds do not rise or are not finite');
  const { negative, zeroCount, zeroThreshold } = sent;
  if (negative.spans.length + negative.deltas.length + negative.counts.length > 0 || zeroCount + zeroThreshold !== 0) {
    return fault('histogram_invalid', 'custom buckets have neither a negative side nor a zero bucket');
  }
  const indexes = indexesOf(sent.positive.spans, positive);
  if (indexes === null || (indexes[0] ?? 0) < 0) return fault('histogram_invalid', 'spans and buckets do not fit');
  if ((indexes.at(-1) ?? 0) > bounds.length) return fault('histogram_invalid', 'a bucket lies beyond the last bound');
  const counts = new Array<number>(bounds.length + 1).fill(0);
  for (const [i, index] of indexes.entries()) counts[index] = positive[i] ?? 0;
  return { ...head, kind: 'explicit', bounds, counts };
}
