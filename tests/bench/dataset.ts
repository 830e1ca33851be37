import { gzipSync } from 'node:zlib';
import { encodeOtlp } from 'streams/otlp';

/** Series of each tenant: small and large instances, 2,000 in all. */
const sizes = [20, 50, 80, 120, 160, 200, 240, 300, 380, 450];
/** Shape of the data set: a point of every series every 10 s, as a collector in front of an ISP container sends them. */
export const shape = {
  tenants: sizes.length,
  seriesPerRequest: 200,
  ticks: 600,
  ticksPerRequest: 40,
  intervalMs: 10_000,
};
export const totalPoints = sizes.reduce((sum, series) => sum + series, 0) * shape.ticks;

export interface BenchRequest {
  /** Index of the tenant whose key sends it. */
  readonly tenant: number;
  readonly body: Buffer;
}

/** A small seeded generator (mulberry32): the same data in every run and on every machine. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The next value of a series by its kind: integer counters, two-decimal gauges, memory bytes, full doubles, nearly constant, as measured instances show them. */
function nextValue(kind: number, previous: number, random: () => number): number {
  if (kind < 45) return random() < 0.2 ? previous : previous + Math.floor(random() * 500);
  if (kind < 60) return Math.max(0, previous + Math.floor((random() - 0.5) * 4_194_304));
  if (kind < 82) return Math.round((previous + (random() - 0.5) * 5) * 100) / 100;
  if (kind < 88) return random();
  return random() < 0.01 ? previous + 1 : previous;
}

interface Series {
  readonly index: number;
  readonly kind: number;
  value: number;
}

/** A data point of a series at a tick, with the next value. */
function dataPoint(one: Series, startMs: number, tick: number, random: () => number) {
  one.value = nextValue(one.kind, one.value, random);
  const timeMs = startMs + tick * shape.intervalMs + Math.floor(random() * 4);
  return {
    timeUnixNano: `${timeMs}000000`,
    startTimeUnixNano: `${startMs}000000`,
    ...(Number.isInteger(one.value) ? { asInt: String(one.value) } : { asDouble: one.value }),
    attributes: [
      { key: 'network.interface.name', value: { stringValue: `eth${one.index % 8}` } },
      { key: 'network.io.direction', value: { stringValue: one.index % 2 === 0 ? 'receive' : 'transmit' } },
      { key: 'dotmac.device', value: { stringValue: `device-${one.index}` } },
    ],
  };
}

function metric(one: Series, dataPoints: readonly unknown[]) {
  const name = `bench.metric.${one.index % 20}`;
  return one.kind < 45
    ? { name, unit: 'By', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints } }
    : { name, unit: '1', gauge: { dataPoints } };
}

/** One request: some series over some ticks, either all ticks of a series together or, as a batching collector sends them, one export after the other. */
function request(
  series: readonly Series[],
  startMs: number,
  ticks: readonly number[],
  byTick: boolean,
  random: () => number,
): Buffer {
  const exports = byTick ? ticks.map((tick) => [tick]) : [ticks];
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'isp-framework' } }] };
  const resourceMetrics = exports.map((some) => ({
    resource,
    scopeMetrics: [
      {
        scope: { name: 'bench', version: '1' },
        metrics: series.map((one) =>
          metric(
            one,
            some.map((tick) => dataPoint(one, startMs, tick, random)),
          ),
        ),
      },
    ],
  }));
  return gzipSync(encodeOtlp('metrics', { resourceMetrics }), { level: 1 });
}

/** Builds gzip OTLP requests of several ticks each, oldest first, ending near `endMs`. Every third tenant sends export by export. */
export function buildDataset(endMs: number): BenchRequest[] {
  const random = seeded(20_261_121);
  const startMs = Math.floor((endMs - shape.ticks * shape.intervalMs) / 3_600_000) * 3_600_000;
  const requests: (BenchRequest & { readonly tick: number })[] = [];
  sizes.forEach((size, tenant) => {
    const series = Array.from(
      { length: size },
      (_, index): Series => ({ index, kind: random() * 100, value: Math.floor(random() * 1e6) }),
    );
    for (let tick = 0; tick < shape.ticks; tick += shape.ticksPerRequest) {
      const ticks = Array.from({ length: shape.ticksPerRequest }, (_, offset) => tick + offset);
      for (let from = 0; from < size; from += shape.seriesPerRequest) {
        const some = series.slice(from, from + shape.seriesPerRequest);
        requests.push({ tenant, tick, body: request(some, startMs, ticks, tenant % 3 === 2, random) });
      }
    }
  });
  // Tenants interleave, as they do in front of a real endpoint; each tenant's own requests stay in order.
  return requests.toSorted((a, b) => a.tick - b.tick);
}
