import type { ForecastReport, MetricRange, Tenant } from 'streams/contract';
import { seeded } from './fixtures.ts';

const dayMs = 86_400_000;
const stepUnits: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: dayMs };

/** Daily rhythm between 0 and 1, highest in the evening. */
function rhythm(time: number): number {
  const hour = (time % dayMs) / 3_600_000;
  return 0.5 + 0.5 * Math.sin(((hour - 14) / 24) * 2 * Math.PI);
}

/** Noise that depends on the instant only, so that a longer range shows the same values. */
function noise(key: string, time: number): number {
  return seeded(`${key}${time}`)() - 0.5;
}

interface Shape {
  readonly unit: string;
  readonly groups: readonly (readonly [attributes: Record<string, string>, value: (time: number) => number])[];
}

function shapeOf(tenant: Tenant, metric: string, aggregate: string): Shape {
  const wave = (base: number, swing: number, spread: number) => (time: number) =>
    Math.max(0, base + swing * rhythm(time) + spread * noise(tenant.id + metric, time));
  switch (metric) {
    case 'container.cpu.usage':
      return { unit: '{cpu}', groups: [[{}, wave(1.4, 2.0, 0.3)]] };
    case 'dotmac.storage.usage':
      return { unit: 'By', groups: [[{}, (time) => (61 + (time % (90 * dayMs)) / (20 * dayMs)) * 2 ** 30]] };
    case 'dotmac.network.interface.io':
      return {
        unit: 'By/s',
        groups: [
          [{ 'network.io.direction': 'receive' }, wave(9e6, 2.2e7, 3e6)],
          [{ 'network.io.direction': 'transmit' }, wave(2e6, 6e6, 9e5)],
        ],
      };
    case 'dotmac.health.status':
      return {
        unit: '1',
        groups: ['api', 'database', 'radius', 'worker'].map((component) => [
          { component },
          (time: number) => (component === 'radius' && Math.floor(time / 900_000) % 61 === 7 ? 0 : 1),
        ]),
      };
    case 'http.server.request.duration':
      return aggregate === 'p95'
        ? { unit: 's', groups: [[{}, wave(0.11, 0.14, 0.06)]] }
        : { unit: '1/s', groups: [[{}, wave(18, 55, 8)]] };
    default:
      return { unit: '1', groups: [] };
  }
}

/** Buckets of a metric with one gap of two hours a week ago and one this morning. */
export function rangeOf(tenant: Tenant, search: URLSearchParams): MetricRange {
  const metric = search.get('metric') ?? '';
  const [start, end] = [Date.parse(search.get('start') ?? ''), Date.parse(search.get('end') ?? '')];
  const match = /^(\d+)(s|m|h|d)$/.exec(search.get('step') ?? '60s');
  const step = Number(match?.[1] ?? 60) * (stepUnits[match?.[2] ?? 's'] ?? 1000);
  const shape = shapeOf(tenant, metric, search.get('aggregate') ?? 'avg');
  const gapStart = Math.floor(Date.now() / dayMs) * dayMs - 5 * 3_600_000;
  const times: number[] = [];
  for (let time = Math.ceil(start / step) * step; time < end; time += step) {
    if (time < gapStart || time >= gapStart + 2 * 3_600_000) times.push(time);
  }
  return {
    metric,
    unit: shape.unit,
    series: shape.groups.map(([attributes, value]) => ({
      attributes,
      points: times.map((time): [number, number] => [time, value(time)]),
    })),
  };
}

/** A hundred measured days with a gap and thirty that are expected. */
export function forecastOf(tenant: Tenant, customers: number, metric: string): ForecastReport {
  const today = Math.floor(Date.now() / dayMs) * dayMs;
  const value = (day: number) => customers * (1 + day * 0.0022) + customers * 0.01 * noise(tenant.id, day);
  const history: [number, number][] = [];
  for (let day = -100; day < 0; day += 1) {
    if (day < -38 || day > -35) history.push([today + day * dayMs, Math.round(value(day))]);
  }
  const forecast = Array.from({ length: 30 }, (_, day) => {
    const mean = customers * (1 + day * 0.0022);
    const half = customers * 0.008 * Math.sqrt(day + 1);
    return { time: today + day * dayMs, mean, lower: mean - half, upper: mean + half };
  });
  return {
    tenant: tenant.id,
    metric,
    unit: '{customer}',
    method: 'damped-trend',
    interval: 0.95,
    history,
    forecast: customers === 0 ? [] : forecast,
    reason: customers === 0 ? 'no active customers were measured' : '96 days of history',
  };
}

const bodies = [
  ['INFO', 'customer session started on access node BNG-2'],
  ['INFO', 'invoice run finished, 212 documents'],
  ['WARN', 'radius: slow answer from upstream, 1.8 s'],
  ['INFO', 'ticket closed by technician'],
  ['ERROR', 'payment provider refused card: insufficient funds'],
] as const;

/** Log records of the last hour, newest first. */
export function logsOf(tenant: Tenant) {
  const random = seeded(`${tenant.id}logs`);
  const items = Array.from({ length: 40 }, (_, index) => {
    const [severityText, body] = bodies[Math.floor(random() * bodies.length)] ?? bodies[0];
    return {
      time: new Date(Date.now() - index * 87_000).toISOString(),
      severityText,
      body,
      service: 'isp-framework',
    };
  });
  return { items, nextCursor: null };
}

/** Refused data of the newest day of the range; one tenant has lost nothing. */
export function rejectedOf(tenant: Tenant, search: URLSearchParams) {
  if (tenant.id === 'harbour-net') return [];
  const hourMs = 3_600_000;
  const start = Date.parse(search.get('start') ?? '');
  const now = Date.now();
  const count = (hoursAgo: number, signal: string, reason: string, records: number, detail = '') => {
    const hour = Math.floor(now / hourMs) * hourMs - hoursAgo * hourMs;
    const lastAt = new Date(Math.min(hour + 47 * 60_000, now)).toISOString();
    return { tenant: tenant.id, hour: new Date(hour).toISOString(), signal, reason, records, lastAt, detail };
  };
  return [
    ...[1, 2, 3, 4].map((hours) => count(hours, 'metrics', 'series_limit', 48_200 - hours * 9_000)),
    ...[2, 3].map((hours) =>
      count(
        hours,
        'metrics',
        'limits.points_per_second',
        310 * hours,
        'this tenant may send 200000 points a second: send again in 3 s',
      ),
    ),
    count(7, 'logs', 'attribute_too_long', 12),
    count(9, 'events', 'ingest.event_invalid', 1, '[3].data.value'),
  ].filter(({ hour }) => Date.parse(hour) >= start);
}
