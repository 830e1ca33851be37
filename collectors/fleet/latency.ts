/** Bucket bounds of `http.server.request.duration`. *Units* seconds. *Source* OpenTelemetry semantic conventions, HTTP metrics. */
export const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;
export const BUCKETS = BOUNDS.length + 1;
/** count, sum, buckets. */
export const HISTOGRAM_WIDTH = BUCKETS + 2;
const REPRESENTATIVE = [0.004, 0.008, 0.018, 0.037, 0.062, 0.087, 0.17, 0.36, 0.61, 0.86, 1.6, 3.4, 6.1, 8.6, 12];
const PERIOD = 1024;

/** How 1,024 requests fall into the buckets, each run of requests alike: `prefix[n × BUCKETS + k]` of the first n lie in bucket k. */
export interface LatencyShape {
  readonly prefix: Uint16Array;
}

/** A log-normal latency with this median and spread, quantised to 1/1,024. */
export function latencyShape(medianSeconds: number, sigma: number): LatencyShape {
  const below = (bound: number) => 1 / (1 + Math.exp((-1.702 * Math.log(bound / medianSeconds)) / sigma));
  const edges = BOUNDS.map((bound) => Math.round(PERIOD * below(bound)));
  const prefix = new Uint16Array((PERIOD + 1) * BUCKETS);
  for (let n = 0; n < PERIOD; n += 1) {
    // reversing the bits spreads any run of requests evenly over the distribution
    let position = 0;
    for (let bit = 0; bit < 10; bit += 1) position |= ((n >> bit) & 1) << (9 - bit);
    let bucket = edges.findIndex((edge) => position < edge);
    if (bucket < 0) bucket = BUCKETS - 1;
    for (let k = 0; k < BUCKETS; k += 1) {
      prefix[(n + 1) * BUCKETS + k] = (prefix[n * BUCKETS + k] ?? 0) + (k === bucket ? 1 : 0);
    }
  }
  return { prefix };
}

/** Adds the first `count` requests of a shape to a cumulative histogram point at `offset`: every bucket whole and never falling as `count` grows. */
export function addRequests(shape: LatencyShape, count: number, out: Float64Array, offset: number): void {
  const rounds = Math.floor(count / PERIOD);
  const rest = (count - rounds * PERIOD) * BUCKETS;
  const full = PERIOD * BUCKETS;
  let sum = 0;
  for (let k = 0; k < BUCKETS; k += 1) {
    const inBucket = rounds * (shape.prefix[full + k] ?? 0) + (shape.prefix[rest + k] ?? 0);
    out[offset + 2 + k] = (out[offset + 2 + k] ?? 0) + inBucket;
    sum += inBucket * (REPRESENTATIVE[k] ?? 0);
  }
  out[offset] = (out[offset] ?? 0) + count;
  out[offset + 1] = (out[offset + 1] ?? 0) + sum;
}
