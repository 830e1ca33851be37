import { gzipSync } from 'node:zlib';
import { encodeOtlp } from 'streams/otlp';

/** Shape of the data set: a point of every series every 10 s, as a collector in front of an ISP container sends them. */
export const shape = { tenants: 10, series: 200, ticks: 600, ticksPerRequest: 40, intervalMs: 10_000 };
export const totalPoints = shape.tenants * shape.series * shape.ticks;

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

/** Builds gzip OTLP requests of several ticks each, oldest first, ending near `endMs`. */
export function buildDataset(endMs: number): BenchRequest[] {
  const random = seeded(20_261_121);
  const startMs = Math.floor((endMs - shape.ticks * shape.intervalMs) / 3_600_000) * 3_600_000;
  const requests: BenchRequest[] = [];
  for (let tenant = 0; tenant < shape.tenants; tenant += 1) {
    const series = Array.from({ length: shape.series }, (_, index) => ({
      index,
      kind: random() * 100,
      value: Math.floor(random() * 1e6),
    }));
    for (let tick = 0; tick < shape.ticks; tick += shape.ticksPerRequest) {
      const metrics = series.map((one) => {
        const dataPoints = Array.from({ length: shape.ticksPerRequest }, (_, offset) => {
          one.value = nextValue(one.kind, one.value, random);
          const timeMs = startMs + (tick + offset) * shape.intervalMs + Math.floor(random() * 4);
          const number = Number.isInteger(one.value) ? { asInt: String(one.value) } : { asDouble: one.value };
          return {
            timeUnixNano: `${timeMs}000000`,
            startTimeUnixNano: `${startMs}000000`,
            ...number,
            attributes: [
              { key: 'network.interface.name', value: { stringValue: `eth${one.index % 8}` } },
              { key: 'network.io.direction', value: { stringValue: one.index % 2 === 0 ? 'receive' : 'transmit' } },
              { key: 'dotmac.device', value: { stringValue: `device-${one.index}` } },
            ],
          };
        });
        return one.kind < 45
          ? {
              name: `bench.metric.${one.index % 20}`,
              unit: 'By',
              sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints },
            }
          : { name: `bench.metric.${one.index % 20}`, unit: '1', gauge: { dataPoints } };
      });
      const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'isp-framework' } }] };
      const request = {
        resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: 'bench', version: '1' }, metrics }] }],
      };
      requests.push({ tenant, body: gzipSync(encodeOtlp('metrics', request), { level: 1 }) });
    }
  }
  // Tenants interleave, as they do in front of a real endpoint; each tenant's own requests stay in order.
  const perTenant = shape.ticks / shape.ticksPerRequest;
  return requests.toSorted((a, b) => (requests.indexOf(a) % perTenant) - (requests.indexOf(b) % perTenant));
}
