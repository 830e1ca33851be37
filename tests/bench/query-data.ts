import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { encodeOtlp } from 'streams/otlp';
import { call, createTenant, type PulseProcess, startPulse, until } from '../pulse-process.ts';
import { startEngine } from './engine.ts';

/** What the read benchmark asks about, chosen while the data were made. *Units* times in milliseconds. */
export interface QueryData {
  readonly dataDir: string;
  /** The same engine files a second time, for the reference. */
  readonly copyDir: string;
  readonly key: string;
  /** The tenant's number in the engine. */
  readonly tenant: number;
  /** End of the data: a full hour. */
  readonly end: number;
}

const hourMs = 3_600_000;
const bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5];

/** Seeded rows straight into the tables, a tenant of 988 series as in the design's measurements: one metric with 247 series over a day, the others over an hour, histograms, spans and log records of 20 tenants. */
function fill(tenant: number, end: number, seq: string, partition: string): string[] {
  const at = (ms: number) => `fromUnixTimestamp64Milli(${ms}, 'UTC')`;
  const id = (metric: number, series: string) =>
    `bitShiftLeft(toUInt64(${metric}), 48) + cityHash64(${series}) % 281474976710656`;
  const settings = 'SETTINGS max_partitions_per_insert_block = 0, max_insert_block_size = 1048576';
  const series = (metric: string, code: number, count: number, kind: string, extra: string, attributes: string) =>
    `INSERT INTO series (tenant, metric, series, identity, kind, temporality, monotonic, unit, bounds, attributes, first_seen)
     SELECT ${tenant}, ${metric}, ${id(code, 'number')}, toFixedString('', 16), '${kind}', ${extra}, map(${attributes}, 'resource.service.name', 'isp-framework'), now() FROM numbers(${count})`;
  const samples = (code: number, count: number, ticks: number) =>
    `INSERT INTO samples (tenant, series, time, value, start, received, flags, retention_days)
     SELECT ${tenant}, ${id(code, 'n')}, ${at(end)} - toIntervalMillisecond((${ticks} - tick) * 10000 - cityHash64(n, tick) % 4), 1000. * n + 37. * tick + cityHash64(n, tick, 1) % 30, ${at(end - 48 * hourMs)}, now(), 0, 400
     FROM (SELECT number % ${count} AS n, intDiv(number, ${count}) AS tick FROM numbers(${count * ticks})) ${settings}`;
  const observed = bounds.map((_, i) => `toUInt64((tick + 1) * (1 + (n + ${i}) % 5))`);
  return [
    series(
      `'bench.io'`,
      17,
      247,
      'sum',
      `'cumulative', true, 'By', []`,
      `'if.name', concat('eth', toString(number)), 'device', concat('d', toString(number % 16))`,
    ),
    samples(17, 247, 8640),
    series(
      `concat('bench.other.', toString(number % 39))`,
      18,
      741,
      'gauge',
      `'', false, '1', []`,
      `'device', concat('d', toString(number))`,
    ),
    samples(18, 741, 360),
    series(
      `'bench.duration'`,
      19,
      340,
      'histogram',
      `'cumulative', false, 's', [${bounds.join()}]`,
      `'http.route', concat('/r', toString(number % 17)), 'pod', toString(number)`,
    ),
    `INSERT INTO histograms (tenant, series, time, start, count, sum, min, max, bucket_counts, received, flags, retention_days)
     SELECT ${tenant}, ${id(19, 'n')}, ${at(end)} - toIntervalMillisecond((720 - tick) * 10000 - cityHash64(n, tick) % 4), ${at(end - 48 * hourMs)}, arraySum(buckets), tick, nan, nan, buckets, now(), 0, 400
     FROM (SELECT number % 340 AS n, intDiv(number, 340) AS tick, [${[...observed, 'toUInt64(0)'].join()}] AS buckets FROM numbers(${340 * 720})) ${settings}`,
    `INSERT INTO spans (tenant, Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, SpanAttributes, Duration, StatusCode, received, retention_days)
     SELECT ${tenant} + number % 20, toDateTime64(${end / 1000}, 9, 'UTC') - toIntervalNanosecond(1000000 + (number * 7919) % 400000 * 200000000), reinterpretAsFixedString(toUInt128(cityHash64(intDiv(number, 100), 1)) * 18446744073709551615 + cityHash64(intDiv(number, 100), 2) * 1 + number % 20), reinterpretAsFixedString(cityHash64(number, 3)),
       reinterpretAsFixedString(toUInt64(0)), concat('GET /r', toString(number % 50)), 'Server', concat('service-', toString(number % 7)), map('service.name', concat('service-', toString(number % 7))),
       map('http.route', concat('/r', toString(number % 50)), 'http.response.status_code', toString(200 + number % 3)), cityHash64(number, 4) % 1000000000, 'Unset', now(), 400
     FROM numbers(400000) ${settings}`,
    `INSERT INTO log_records (tenant, Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceAttributes, LogAttributes, hash, received, retention_days)
     SELECT ${tenant} + number % 20, toDateTime64(${end / 1000}, 9, 'UTC') - toIntervalNanosecond(1000000 + (number * 7919) % 400000 * 200000000), toFixedString('', 16), toFixedString('', 8), 0, 'INFO', 9, concat('service-', toString(number % 7)),
       concat('request ', toString(cityHash64(number, 5)), ' of customer ', toString(cityHash64(number, 6) % 5000), ' took ', toString(cityHash64(number, 7) % 900), ' ms', if(number % 4000 = 0, ' and failed with needle', '')), map('service.name', 'x'), map('code', toString(number % 9)), cityHash64(number, 8), now(), 400
     FROM numbers(400000) ${settings}`,
    `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, seq, partition, at)
     SELECT concat('seed', toString(number)), 'metrics', ${tenant}, toDateTime(${end / 1000} - 3600 * (number + 1), 'UTC'), 88920, 88920, ${seq}, ${partition}, now() FROM numbers(24)`,
  ];
}

/** One point through the front door, so that the log, the tenant's number and its partition are real. */
async function sendOnePoint(pulse: PulseProcess, key: string): Promise<void> {
  const dataPoints = [{ timeUnixNano: `${Date.now()}000000`, asDouble: 1, attributes: [] }];
  const body = encodeOtlp('metrics', {
    resourceMetrics: [
      { resource: { attributes: [] }, scopeMetrics: [{ metrics: [{ name: 'bench.first', gauge: { dataPoints } }] }] },
    ],
  });
  const answer = await fetch(`${pulse.otlpHttp}/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', authorization: `Bearer ${key}` },
    body: new Uint8Array(body),
  });
  if (answer.status !== 200) throw new Error(`the first point was refused: ${answer.status}`);
}

/** Makes the data in a server's own directory, has its job roll them up, merges all parts, and copies the engine's files. */
export async function makeQueryData(): Promise<QueryData> {
  const end = Math.floor(Date.now() / hourMs) * hourMs;
  const first = await startPulse();
  const key = await createTenant(first, { id: 'bench-query' });
  await sendOnePoint(first, key);
  const counts = () => call<{ points: number }>(first, '/api/v1/telemetry/counts', { token: key });
  await until(counts, ({ body }) => body.points === 1, 30);
  await first.stop();
  const engineDir = join(first.dataDir, 'store/engine');
  const seeding = await startEngine(engineDir);
  const { rows } = await seeding.run([
    `SELECT tenant, partition, toString(max(seq)) AS seq FROM touched GROUP BY tenant, partition`,
  ]);
  const tenant = Number(rows[0]?.['tenant']);
  for (const statement of fill(tenant, end, rows[0]?.['seq'] ?? '0', String(rows[0]?.['partition'] ?? 0)))
    await seeding.run([statement]);
  await seeding.stop();
  const rolling = await startPulse({ dataDir: first.dataDir });
  const range = new URLSearchParams({
    metric: 'bench.io',
    step: '1h',
    aggregate: 'count',
    start: new Date(end - 24 * hourMs).toISOString(),
    end: new Date(end).toISOString(),
  });
  const rolled = () =>
    call<{ resolution: string }>(rolling, `/api/v1/telemetry/metrics/range?${range}`, { token: key });
  await until(rolled, ({ body }) => body.resolution === 'hour', 120);
  await rolling.stop();
  const merging = await startEngine(engineDir);
  for (const table of [
    'samples',
    'histograms',
    'spans',
    'log_records',
    'series',
    'series_hour',
    'series_minute',
    'touched',
    'rolled',
  ]) {
    await merging.run([`OPTIMIZE TABLE ${table} FINAL`]);
  }
  await merging.stop();
  const copyDir = `${first.dataDir}-copy`;
  cpSync(engineDir, copyDir, { recursive: true, verbatimSymlinks: true });
  return { dataDir: first.dataDir, copyDir, key, tenant, end };
}
