import { smoothNoise } from './hash.ts';
import { COMPONENTS } from './incident.ts';
import { addRequests, HISTOGRAM_WIDTH, type LatencyShape, latencyShape } from './latency.ts';
import type { Counter, TenantModel } from './tenant-model.ts';

/** What identifies a series inside a tenant. One object a series: encoders keep its bytes by the object. */
export interface SeriesDefinition {
  readonly metric: string;
  readonly kind: 'gauge' | 'counter' | 'histogram';
  readonly unit: string;
  readonly attributes: readonly (readonly [string, string | number])[];
  /** Whether values travel as integers. */
  readonly integer: boolean;
}

/** Points of one series, ascending. *Shape* a histogram has `HISTOGRAM_WIDTH` values a point: count, sum, buckets. */
export interface SeriesPoints {
  readonly series: SeriesDefinition;
  readonly times: readonly number[];
  readonly values: Float64Array;
}

interface Source {
  readonly series: SeriesDefinition;
  fill(times: readonly number[], values: Float64Array): void;
}

const ROUTES = [
  { method: 'GET', route: '/api/v1/customers', perDay: 6, share: 0.5, shape: latencyShape(0.042, 0.7) },
  { method: 'POST', route: '/api/v1/payments', perDay: 0.9, share: 0.15, shape: latencyShape(0.16, 0.6) },
  { method: 'POST', route: '/api/v1/auth/login', perDay: 3, share: 0.35, shape: latencyShape(0.085, 0.5) },
] as const;
const SLOW: LatencyShape = latencyShape(1.7, 0.8);
const REFUSED: LatencyShape = latencyShape(0.02, 0.5);
const FAILED: LatencyShape = latencyShape(2.6, 0.7);
const INTERFACES = [
  ['uplink-1', 1],
  ['uplink-2', 0.55],
  ['core-1', 0.3],
  ['management', 0.02],
] as const;
const DEVICES = ['edge-router-1', 'edge-router-2', 'core-switch-1', 'olt-1', 'olt-2', 'radius-1'] as const;
export const PLUGINS = ['advanced_billing', 'crm_integration', 'advanced_analytics', 'ai_insights'] as const;

/** All series of a tenant and the counters that usage events follow from. */
export class TenantSeries {
  readonly model: TenantModel;
  /** Requests answered since the epoch, all routes and statuses: the sum of the duration histograms' counts. */
  readonly requests: Counter;
  readonly pluginCalls: ReadonlyMap<string, Counter>;
  private readonly sources: readonly Source[];
  private readonly health = new Map<string, SeriesDefinition>();
  private readonly buffers = new Map<SeriesDefinition, Float64Array>();

  constructor(model: TenantModel) {
    this.model = model;
    const http = httpSources(model);
    this.requests = http.requests;
    this.pluginCalls = new Map(
      PLUGINS.map((plugin, index) => [
        plugin,
        model.counter(model.daily([1.4, 0.8, 0.3, 0.12][index] ?? 0, 500 + index)),
      ]),
    );
    this.sources = [
      ...gauges(model),
      ...network(model),
      ...business(model),
      ...[...this.pluginCalls].map(([plugin, counter]) => ({
        series: define('dotmac.plugin.calls', 'counter', '{call}', [['dotmac.plugin.id', plugin]]),
        fill: each(counter),
      })),
      ...http.sources,
    ];
  }

  /** Every series at every instant of `times` (ascending, milliseconds), series of one metric together. The values stay valid until the next call. */
  window(times: readonly number[]): SeriesPoints[] {
    const points = this.healthPoints(times);
    for (const source of this.sources) {
      const width = source.series.kind === 'histogram' ? HISTOGRAM_WIDTH : 1;
      const values = this.buffer(source.series, times.length * width);
      source.fill(times, values);
      points.push({ series: source.series, times, values });
    }
    return points;
  }

  /** Zeroed values of a series, the same memory each time. */
  private buffer(series: SeriesDefinition, length: number): Float64Array {
    let buffer = this.buffers.get(series);
    if (buffer === undefined || buffer.length < length) {
      buffer = new Float64Array(length);
      this.buffers.set(series, buffer);
    } else buffer.fill(0, 0, length);
    return buffer.subarray(0, length);
  }

  /** The status is an attribute, so a component that fails goes on in another series. */
  private healthPoints(times: readonly number[]): SeriesPoints[] {
    const found: SeriesPoints[] = [];
    for (const [index, component] of COMPONENTS.entries()) {
      const variants = new Map<SeriesDefinition, number[]>();
      for (const time of times) {
        const trouble = this.model.troubleOf(index, time);
        const series = this.healthSeries(component, trouble?.status ?? 'up', trouble?.faultDomain ?? 'platform');
        const list = variants.get(series);
        if (list === undefined) variants.set(series, [time]);
        else list.push(time);
      }
      for (const [series, covered] of variants) {
        const up = series.attributes.some(([name, value]) => name === 'status' && value === 'down') ? 0 : 1;
        found.push({ series, times: covered, values: new Float64Array(covered.length).fill(up) });
      }
    }
    return found;
  }

  private healthSeries(component: string, status: string, faultDomain: string): SeriesDefinition {
    const key = `${component}|${status}|${faultDomain}`;
    let series = this.health.get(key);
    if (series === undefined) {
      series = define('dotmac.health.status', 'gauge', '1', [
        ['component', component],
        ['status', status],
        ['dotmac.fault.domain', faultDomain],
      ]);
      this.health.set(key, series);
    }
    return series;
  }
}

function define(
  metric: string,
  kind: SeriesDefinition['kind'],
  unit: string,
  attributes: SeriesDefinition['attributes'] = [],
  integer = true,
): SeriesDefinition {
  return { metric, kind, unit, attributes, integer };
}

function each(value: (timeMs: number) => number): Source['fill'] {
  return (times, values) => {
    for (let index = 0; index < times.length; index += 1) values[index] = value(times[index] ?? 0);
  };
}

function gauges(model: TenantModel): Source[] {
  return [
    {
      series: define('container.cpu.usage', 'gauge', '{cpu}', [], false),
      fill: each((t) => Math.round(model.cpuCores(t) * 1e4) / 1e4),
    },
    { series: define('container.memory.usage', 'gauge', 'By'), fill: each((t) => model.memoryBytes(t)) },
    { series: define('dotmac.customers.active', 'gauge', '{customer}'), fill: each((t) => model.customers(t)) },
    { series: define('dotmac.storage.usage', 'gauge', 'By'), fill: each((t) => model.storageBytes(t)) },
    ...['low', 'normal', 'urgent'].map((priority, index) => ({
      series: define('dotmac.tickets.open', 'gauge', '{ticket}', [['priority', priority]]),
      fill: each((t) => model.openTickets(t, index)),
    })),
    ...DEVICES.map((device, index) => ({
      series: define('dotmac.network.device.up', 'gauge', '1', [['dotmac.network.device.name', device]]),
      fill: each((t) => model.deviceUp(t, index)),
    })),
  ];
}

function network(model: TenantModel): Source[] {
  return INTERFACES.flatMap(([name, share], index) =>
    (['receive', 'transmit'] as const).map((direction, way) => {
      const bytes = 250_000_000 * share * (way === 0 ? 1 : 0.18);
      const swell = (t: number) => 1 + 0.2 * smoothNoise(model.seed, 601 + index, t, 9 * 86_400_000);
      return {
        series: define('dotmac.network.interface.io', 'counter', 'By', [
          ['network.interface.name', name],
          ['network.io.direction', direction],
        ]),
        fill: each(model.counter(model.daily(bytes, 610 + index * 2 + way, swell))),
      };
    }),
  );
}

function business(model: TenantModel): Source[] {
  const lessLogins = (t: number) => 1 - 0.6 * model.distress(t);
  const moreFailures = (t: number) => 1 + 5 * model.distress(t);
  const counted = (
    metric: string,
    unit: string,
    attribute: string,
    rows: readonly (readonly [string, number])[],
    noise: number,
    factor?: (t: number) => number,
  ) =>
    rows.map(([value, perDay], index) => ({
      series: define(metric, 'counter', unit, [[attribute, value]]),
      fill: each(model.counter(model.daily(perDay, noise + index, factor))),
    }));
  return [
    ...counted(
      'dotmac.logins',
      '{login}',
      'dotmac.portal',
      [
        ['customer', 0.42],
        ['technician', 0.03],
      ],
      700,
      lessLogins,
    ),
    ...counted(
      'dotmac.payments.failed',
      '{payment}',
      'reason',
      [
        ['card_declined', 0.0022],
        ['insufficient_funds', 0.0014],
      ],
      710,
      moreFailures,
    ),
    ...counted(
      'dotmac.transactions',
      '{transaction}',
      'kind',
      [
        ['payment', 0.034],
        ['invoice', 0.033],
        ['refund', 0.0006],
      ],
      720,
    ),
  ];
}

interface HttpSources {
  readonly sources: Source[];
  readonly requests: Counter;
}

function httpSources(model: TenantModel): HttpSources {
  const sources: Source[] = [];
  const counters: Counter[] = [];
  const add = (
    route: (typeof ROUTES)[number],
    status: number,
    parts: readonly (readonly [LatencyShape, Counter])[],
  ) => {
    counters.push(...parts.map(([, counter]) => counter));
    sources.push({
      series: define('http.server.request.duration', 'histogram', 's', [
        ['http.request.method', route.method],
        ['http.route', route.route],
        ['http.response.status_code', status],
      ]),
      fill: (times, values) => {
        for (let index = 0; index < times.length; index += 1) {
          for (const [shape, counter] of parts)
            addRequests(shape, counter(times[index] ?? 0), values, index * HISTOGRAM_WIDTH);
        }
      },
    });
  };
  for (const [index, route] of ROUTES.entries()) {
    const background = model.counter(model.daily(route.perDay * 0.0004, 810 + index));
    add(route, 200, [
      [route.shape, model.counter(model.daily(route.perDay, 800 + index))],
      [SLOW, (t) => Math.floor(model.incidentRequests(t, 'slowed') * route.share)],
    ]);
    add(route, 500, [[FAILED, (t) => background(t) + Math.floor(model.incidentRequests(t, 'failed') * route.share)]]);
    if (route.route.endsWith('/login'))
      add(route, 401, [[REFUSED, model.counter(model.daily(route.perDay * 0.04, 820))]]);
  }
  return { sources, requests: (t) => counters.reduce((total, counter) => total + counter(t), 0) };
}
