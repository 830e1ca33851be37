import { isDeepStrictEqual } from 'node:util';
import protobuf from 'protobufjs';
import { createOtlpDecoder, encodeOtlp } from 'streams/otlp';
import { seeded } from './dataset.ts';
import { type BenchResult, summarise } from './results.ts';

const rounds = 9;
const tenants = 12;
const bounds = { oldestMs: 0, newestMs: 4e12 };
const timeMs = Date.UTC(2026, 10, 21, 12);
const proto = new URL('../../streams/otlp/testdata/otlp.proto', import.meta.url).pathname;

interface Payload {
  readonly tenant: number;
  readonly bytes: Uint8Array;
  readonly points: number;
}

/**
 * Decodes and normalises metrics (raw bytes to columns, every point with its series) on one core, ÷ protobufjs' object decoding of the same bytes, which then still has no series.
 * Both read the same requests in turns; the series are known, as they are for all but a series' first point. What is decoded is compared with protobufjs' objects first, value by value.
 */
export async function decode(): Promise<BenchResult[]> {
  const type = protobuf.loadSync(proto).resolveAll().lookupType('otlp.MetricsRequest');
  const payloads = Array.from({ length: tenants }, (_, tenant) => payload(tenant + 1, seeded(tenant + 40)));
  const decoder = createOtlpDecoder();
  for (const one of payloads) compare(decoder, type, one);
  const points = payloads.reduce((sum, one) => sum + one.points, 0);
  const ours = () => {
    for (const { bytes, tenant } of payloads) decoder.metrics(bytes, tenant, bounds);
    decoder.recycle(decoder.takeMetrics());
  };
  const theirs = () => {
    for (const { bytes } of payloads) type.decode(bytes);
  };
  // Both are warm before the clock starts: the figure is of a process that runs for days.
  for (let pass = 0; pass < 20; pass += 1) {
    ours();
    theirs();
  }
  const ratio: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    let own = 0;
    let reference = 0;
    for (let turn = 0; turn < 10; turn += 1) {
      own += timed(ours, 3);
      reference += timed(theirs, 1);
    }
    ratio.push(reference / own);
    rates.push((points * 10) / (own / 1000));
  }
  process.stdout.write(`${points} points a pass in ${payloads.length} requests\n`);
  return [
    summarise('decode', 'ratio', '×', ratio, { pass: 8, aim: 15, better: 'higher' }),
    summarise('decode.rate', 'decoded into columns, one core', 'points/s', rates, { better: 'higher' }),
  ];
}

/** CPU milliseconds of one run, the garbage collector's included: on a busy machine the clock would also count the neighbours. */
function timed(run: () => void, repeats: number): number {
  const before = process.cpuUsage();
  for (let pass = 0; pass < repeats; pass += 1) run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / repeats;
}

const attributes = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));

/** A request of a tenant, at most the MiB of a record of the log: 500 to 8,000 series with two to eight attributes under one resource, one point each; integers, two decimals and full doubles, one metric in twenty a histogram. */
function payload(tenant: number, random: () => number): Payload {
  const series = 500 + Math.floor(random() * 7500);
  const perMetric = 1 + Math.floor(random() * 20);
  const names = [
    'http.route',
    'http.request.method',
    'network.interface.name',
    'dotmac.device',
    'url.scheme',
    'service.peer',
    'error.type',
    'dotmac.component',
  ];
  const metrics: unknown[] = [];
  let points = 0;
  while (points < series) {
    const isHistogram = metrics.length % 20 === 19;
    const dataPoints = Array.from({ length: Math.min(perMetric, series - points) }, (_, index) => {
      const count = 2 + Math.floor(random() * 7);
      const labels = names.slice(0, count).map((name) => [name, `${name}-${index}-${Math.floor(random() * 50)}`]);
      const header = {
        timeUnixNano: `${timeMs + Math.floor(random() * 10_000)}000000`,
        startTimeUnixNano: `${timeMs - 3_600_000}000000`,
        attributes: attributes(Object.fromEntries(labels)),
      };
      const kind = random();
      if (isHistogram)
        return {
          ...header,
          count: '15',
          sum: random() * 100,
          bucketCounts: ['1', '2', '3', '4', '5'],
          explicitBounds: [0.1, 1, 2.5, 10],
        };
      if (kind < 0.45) return { ...header, asInt: String(Math.floor(random() * 1e9)) };
      return { ...header, asDouble: kind < 0.8 ? Math.round(random() * 1e6) / 100 : random() };
    });
    points += dataPoints.length;
    const header = { name: `dotmac.metric.${metrics.length % 40}`, unit: 'By' };
    const cumulative = { dataPoints, aggregationTemporality: 2 };
    if (isHistogram) metrics.push({ ...header, histogram: cumulative });
    else
      metrics.push(
        metrics.length % 2 === 0
          ? { ...header, sum: { ...cumulative, isMonotonic: true } }
          : { ...header, gauge: { dataPoints } },
      );
  }
  const resource = {
    attributes: attributes({
      'service.namespace': 'dotmac',
      'service.name': 'isp-framework',
      'service.instance.id': `instance-${tenant}`,
      'cloud.region': 'eu-west',
    }),
  };
  const request = {
    resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: 'isp', version: '1' }, metrics }] }],
  };
  return { tenant, bytes: encodeOtlp('metrics', request), points };
}

interface Point {
  readonly attributes: readonly { key: string; value: { stringValue: string } }[];
  readonly timeUnixNano: { toString(): string };
  readonly asDouble?: number;
  readonly asInt?: { toString(): string };
  readonly sum?: number;
  readonly bucketCounts?: readonly { toString(): string }[];
}
type Data = { readonly dataPoints: readonly Point[] };
interface Metric {
  readonly name: string;
  readonly gauge?: Data;
  readonly sum?: Data;
  readonly histogram?: Data;
}

/** Decodes a request both ways, twice (the second time the series are known), and refuses to go on unless every point agrees. */
function compare(
  decoder: ReturnType<typeof createOtlpDecoder>,
  type: protobuf.Type,
  { bytes, tenant, points }: Payload,
): void {
  const object = type.decode(bytes) as unknown as {
    resourceMetrics: { scopeMetrics: { metrics: Metric[] }[] }[];
  };
  const metrics = object.resourceMetrics.flatMap((one) => one.scopeMetrics.flatMap((scope) => scope.metrics));
  const own = (point: Point) => Object.fromEntries(point.attributes.map(({ key, value }) => [key, value.stringValue]));
  const millis = (point: Point) => Number(BigInt(point.timeUnixNano.toString()) / 1_000_000n);
  const numbers: unknown[] = [];
  const histograms: unknown[] = [];
  for (const metric of metrics) {
    for (const point of (metric.gauge ?? metric.sum)?.dataPoints ?? [])
      numbers.push([
        metric.name,
        own(point),
        millis(point),
        Object.hasOwn(point, 'asInt') ? Number(point.asInt) : point.asDouble,
      ]);
    for (const point of metric.histogram?.dataPoints ?? [])
      histograms.push([metric.name, own(point), millis(point), point.sum, point.bucketCounts?.map(String)]);
  }
  if (numbers.length + histograms.length !== points) throw new Error('protobufjs read another number of points');
  for (const pass of [1, 2]) {
    decoder.metrics(bytes, tenant, bounds);
    const decoded = decoder.takeMetrics();
    const { series, timeMs: times, value, length } = decoded.points;
    const labels = (entry: (typeof series)[number]) =>
      Object.fromEntries([...entry.attributes].filter(([name]) => !name.startsWith('resource.')));
    const ours = Array.from({ length }, (_, index) => {
      const entry = series[index];
      if (entry === undefined) throw new Error('a point without a series');
      return [entry.metric, labels(entry), times[index], value[index]];
    });
    const rows = decoded.histograms.map((row) => [
      row.series.metric,
      labels(row.series),
      row.timeMs,
      row.sum,
      row.bucketCounts.map(String),
    ]);
    if (!isDeepStrictEqual(ours, numbers) || !isDeepStrictEqual(rows, histograms))
      throw new Error(`tenant ${tenant}, pass ${pass}: the columns are not what protobufjs reads`);
  }
}
