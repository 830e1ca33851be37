import { rmSync } from 'node:fs';
import { percentile } from '../fault/otlp-points.ts';
import { type PulseProcess, startPulse } from '../pulse-process.ts';
import { type BenchEngine, startEngine } from './engine.ts';
import { makeQueryData, type QueryData } from './query-data.ts';
import { type BenchResult, summarise } from './results.ts';

const rounds = 5;
const callsPerRound = 20;
const hourMs = 3_600_000;
/** What one call over HTTP may cost beside its statement, milliseconds: to pass, and to aim for. */
const allowance = { pass: 3, aim: 1 } as const;

/** A question asked both ways. `same` throws when the answers differ. */
interface Shape {
  readonly name: string;
  readonly path: string;
  readonly sql: string;
  same(answer: unknown, rows: readonly Record<string, unknown>[]): void;
}

interface Series {
  readonly attributes: Record<string, string>;
  readonly points: [number, number][];
}

function assertEqual(
  what: string,
  ours: readonly (readonly [string, number])[],
  theirs: readonly (readonly [string, number])[],
  least: number,
): void {
  const sorted = (list: typeof ours) => [...list].sort(([a], [b]) => (a < b ? -1 : 1));
  const [left, right] = [sorted(ours), sorted(theirs)];
  const equal =
    left.length === right.length &&
    left.every(([key, value], i) => {
      const [otherKey, other] = right[i] ?? ['', Number.NaN];
      return key === otherKey && Math.abs(value - other) <= 1e-9 * Math.max(1, Math.abs(other));
    });
  if (!equal || left.length < least) {
    throw new Error(
      `${what}: ${left.length} values of the API, ${right.length} of the statement, at least ${least} expected; first ${JSON.stringify([left[0], right[0]])}`,
    );
  }
}

/** Points of an answer as (group and time, value). */
const flat = (answer: unknown, attribute: string | null) =>
  (answer as { series: Series[] }).series.flatMap(({ attributes, points }) =>
    points.map(([ms, value]): [string, number] => [`${attribute === null ? '' : attributes[attribute]} ${ms}`, value]),
  );
const fromRows = (rows: readonly Record<string, unknown>[]) =>
  rows.map((row): [string, number] => [`${row['grp'] ?? ''} ${row['at']}`, Number(row['value'])]);

/** The shapes of the design's measurements; statements as a person who knows the tables writes them. */
function shapesOf({ tenant, end }: QueryData, traceId: string): Shape[] {
  const iso = (ms: number) => new Date(ms).toISOString();
  const time = (ms: number) => `fromUnixTimestamp64Milli(${ms}, 'UTC')`;
  const within = (column: string, hours: number) =>
    `toStartOfHour(${column}) >= ${time(end - hours * hourMs)} AND toStartOfHour(${column}) <= ${time(end)} AND ${column} >= ${time(end - hours * hourMs)} AND ${column} < ${time(end)}`;
  const seconds = (ms: number) => `toDateTime(${ms / 1000}, 'UTC')`;
  const url = (path: string, hours: number, query: Record<string, string>) =>
    `/api/v1/telemetry/${path}?${new URLSearchParams({ start: iso(end - hours * hourMs), end: iso(end), ...query })}`;
  const metric = (name: string, condition = '1') =>
    `(SELECT series FROM series WHERE tenant = ${tenant} AND metric = '${name}' AND ${condition})`;
  const origin = 'ScopeName, ScopeVersion, ScopeAttributes, ScopeSchemaUrl, ResourceSchemaUrl';
  const eight = `match(attributes['if.name'], '^(?:eth[1-8])$')`;
  const settings =
    'SETTINGS do_not_merge_across_partitions_select_final = 1, allow_experimental_time_series_aggregate_functions = 1';
  return [
    {
      name: 'one-series',
      path: url('metrics/points', 1, { metric: 'bench.io', filter: 'if.name=eth5' }),
      sql: `SELECT toUnixTimestamp64Milli(time) AS at, value FROM samples FINAL WHERE tenant = ${tenant} AND series IN ${metric('bench.io', "attributes['if.name'] = 'eth5'")} AND ${within('time', 1)} ORDER BY time ${settings}`,
      same: (answer, rows) => assertEqual('one-series', flat(answer, null), fromRows(rows), 360),
    },
    {
      name: 'eight-series-by-minute',
      path: url('metrics/range', 12, {
        metric: 'bench.io',
        filter: 'if.name=~eth[1-8]',
        groupBy: 'if.name',
        step: '60s',
        aggregate: 'avg',
      }),
      sql: `SELECT if_name AS grp, toUnixTimestamp(bucket) * 1000 AS at, sum(sum) / sum(count) AS value FROM series_minute FINAL
        INNER JOIN (SELECT series, attributes['if.name'] AS if_name FROM series WHERE tenant = ${tenant} AND metric = 'bench.io' AND ${eight}) AS s USING (series)
        WHERE tenant = ${tenant} AND series IN ${metric('bench.io', eight)} AND bitShiftRight(series, 48) IN (SELECT bitShiftRight(series, 48) FROM series WHERE tenant = ${tenant} AND metric = 'bench.io')
          AND bucket >= ${seconds(end - 12 * hourMs)} AND bucket < ${seconds(end)} GROUP BY grp, at ORDER BY grp, at ${settings}`,
      same: (answer, rows) => assertEqual('eight-series-by-minute', flat(answer, 'if.name'), fromRows(rows), 8 * 720),
    },
    {
      name: 'rate-of-a-metric',
      path: url('metrics/range', 24, {
        metric: 'bench.io',
        groupBy: 'device',
        step: '5m',
        aggregate: 'rate',
        window: '5m',
      }),
      sql: `SELECT grp, ${end - 24 * hourMs} + (i - 1) * 300000 AS at, rates[i] AS value FROM (
          SELECT device AS grp, sumForEach(rate) AS rates FROM (
            SELECT series, timeSeriesRateToGrid(${time(end - 24 * hourMs + 299_999)}, ${time(end - 1)}, 300, 300)(time, value) AS rate FROM samples
            WHERE tenant = ${tenant} AND series IN ${metric('bench.io')} AND ${within('time', 24)} AND bitAnd(flags, 1) = 0 AND isFinite(value) GROUP BY series
          ) AS r INNER JOIN (SELECT series, attributes['device'] AS device FROM series WHERE tenant = ${tenant} AND metric = 'bench.io') AS s USING (series) GROUP BY grp
        ) ARRAY JOIN arrayEnumerate(rates) AS i WHERE isNotNull(value) ${settings}`,
      same: (answer, rows) => assertEqual('rate-of-a-metric', flat(answer, 'device'), fromRows(rows), 16 * 287),
    },
    {
      name: 'last-values',
      path: url('metrics/latest', 1, { limit: '1000' }),
      sql: `SELECT concat(metric, ' ', attributes['device'], ' ', attributes['if.name']) AS grp, toUnixTimestamp64Milli(last.1) AS at, last.2 AS value FROM (
          SELECT series, max((time, value)) AS last FROM samples WHERE tenant = ${tenant} AND ${within('time', 1)} GROUP BY series
        ) AS p INNER JOIN (SELECT series, metric, attributes FROM series WHERE tenant = ${tenant}) AS s USING (series) ${settings}`,
      same: (answer, rows) => {
        const { items } = answer as {
          items: { metric: string; attributes: Record<string, string>; time: number; value: number }[];
        };
        const ours = items.map(({ metric: name, attributes, time: at, value }): [string, number] => [
          `${name} ${attributes['device'] ?? ''} ${attributes['if.name'] ?? ''} ${at}`,
          value,
        ]);
        assertEqual('last-values', ours, fromRows(rows), 988);
      },
    },
    {
      name: 'histogram-p95',
      path: url('metrics/range', 1, { metric: 'bench.duration', groupBy: 'http.route', step: '5m', aggregate: 'p95' }),
      sql: `SELECT grp, at, quantilePrometheusHistogram(0.95)(bound, toFloat64(counted)) AS value FROM (
          SELECT route AS grp, ${end - hourMs} + slot * 300000 AS at, arrayCumSum(sumForEach(arrayMap((l, p) -> l - p, last, previous))) AS cumulative, arrayPushBack(any(bounds), inf) AS bounds FROM (
            SELECT series, slot, last, lagInFrame(last) OVER (PARTITION BY series ORDER BY slot ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous FROM (
              SELECT series, greatest(-1, intDiv(toUnixTimestamp64Milli(time) - ${end - hourMs} + 3600000, 300000) - 12) AS slot, argMax(bucket_counts, time) AS last FROM histograms
              WHERE tenant = ${tenant} AND series IN ${metric('bench.duration')} AND ${within('time', 2)} GROUP BY series, slot
            )
          ) AS h INNER JOIN (SELECT series, attributes['http.route'] AS route, bounds FROM series WHERE tenant = ${tenant} AND metric = 'bench.duration') AS s USING (series)
          WHERE slot >= 0 GROUP BY route, slot
        ) ARRAY JOIN bounds AS bound, cumulative AS counted GROUP BY grp, at ${settings}`,
      same: (answer, rows) => assertEqual('histogram-p95', flat(answer, 'http.route'), fromRows(rows), 17 * 12),
    },
    {
      name: 'trace-by-id',
      path: `/api/v1/telemetry/traces/${traceId}`,
      sql: `SELECT lower(hex(SpanId)) AS id, lower(hex(ParentSpanId)) AS parent, SpanName, SpanKind, ServiceName, Timestamp, Duration, StatusCode, StatusMessage, SpanAttributes, ResourceAttributes, \`Events.Name\`, \`Events.Timestamp\`, \`Events.Attributes\`, \`Events.DroppedAttributes\`, \`Links.TraceId\`, \`Links.SpanId\`, \`Links.Attributes\`, \`Links.TraceState\`, \`Links.Flags\`, \`Links.DroppedAttributes\`, Flags, TraceState, DroppedAttributes, DroppedEvents, DroppedLinks, ${origin} FROM spans FINAL WHERE tenant = ${tenant} AND TraceId = unhex('${traceId}') ORDER BY Timestamp ${settings}`,
      same: (answer, rows) => {
        const { spans } = answer as { spans: { spanId: string; durationNanos: string }[] };
        const ours = spans.map((span): [string, number] => [span.spanId, Number(span.durationNanos)]);
        assertEqual(
          'trace-by-id',
          ours,
          rows.map((row): [string, number] => [String(row['id']), Number(row['Duration'])]),
          5,
        );
      },
    },
    {
      name: 'log-token',
      path: url('logs', 23, { query: 'needle', match: 'words', limit: '100' }),
      sql: `SELECT Timestamp, Body, SeverityText, SeverityNumber, ServiceName, lower(hex(TraceId)) AS trace, lower(hex(SpanId)) AS span, LogAttributes, ResourceAttributes, toString(hash) AS hash, ObservedTimestamp, TraceFlags, EventName, DroppedAttributes, ${origin} FROM log_records FINAL WHERE tenant = ${tenant} AND ${within('Timestamp', 23)} AND hasToken(lower(Body), 'needle') ORDER BY Timestamp DESC, hash DESC LIMIT 100 ${settings}`,
      same: (answer, rows) => {
        const { items } = answer as { items: { body: string }[] };
        assertEqual(
          'log-token',
          items.map(({ body }, i): [string, number] => [`${i} ${body}`, i]),
          rows.map((row, i): [string, number] => [`${i} ${row['Body']}`, i]),
          100,
        );
      },
    },
    {
      name: 'counts',
      path: url('counts', 6, {}),
      sql: `SELECT (SELECT count() FROM samples FINAL WHERE tenant = ${tenant} AND ${within('time', 6)}) + (SELECT count() FROM histograms FINAL WHERE tenant = ${tenant} AND ${within('time', 6)}) + (SELECT count() FROM exponential_histograms FINAL WHERE tenant = ${tenant} AND ${within('time', 6)}) + (SELECT count() FROM summaries FINAL WHERE tenant = ${tenant} AND ${within('time', 6)}) AS points,
        (SELECT count() FROM spans FINAL WHERE tenant = ${tenant} AND ${within('Timestamp', 6)}) AS spans, (SELECT count() FROM log_records FINAL WHERE tenant = ${tenant} AND ${within('Timestamp', 6)}) AS logs, (SELECT count() FROM usage_events FINAL WHERE tenant = ${tenant} AND time >= ${time(end - 6 * hourMs)} AND time < ${time(end)}) AS events ${settings}`,
      same: (answer, rows) => {
        const counts = answer as Record<string, number>;
        const row = rows[0] ?? {};
        const names = [
          ['points', 'points'],
          ['spans', 'spans'],
          ['logRecords', 'logs'],
        ] as const;
        assertEqual(
          'counts',
          names.map(([ours]): [string, number] => [ours, counts[ours] ?? 0]),
          names.map(([ours, theirs]): [string, number] => [ours, Number(row[theirs])]),
          3,
        );
      },
    },
  ];
}

async function ask(pulse: PulseProcess, key: string, shape: Shape): Promise<{ ms: number; text: string }> {
  const started = performance.now();
  const answer = await fetch(`${pulse.http}${shape.path}`, { headers: { authorization: `Bearer ${key}` } });
  const text = await answer.text();
  const ms = performance.now() - started;
  if (answer.status === 429) {
    // Reads of a key are limited by the second; the clock of the call has nothing to do with that.
    await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(answer.headers.get('retry-after') ?? 1)));
    return ask(pulse, key, shape);
  }
  if (answer.status !== 200) throw new Error(`${shape.name}: ${answer.status} ${text.slice(0, 300)}`);
  return { ms, text };
}

async function measure(
  pulse: PulseProcess,
  engine: BenchEngine,
  data: QueryData,
  shape: Shape,
): Promise<{ api: number; sql: number }> {
  const api: number[] = [];
  const sql: number[] = [];
  // The calls alternate: a neighbour on the machine slows both down.
  for (let i = 0; i < callsPerRound; i += 1) {
    api.push((await ask(pulse, data.key, shape)).ms);
    sql.push((await engine.run([shape.sql])).ms[0] ?? Number.NaN);
  }
  return { api: percentile(api, 0.95), sql: percentile(sql, 0.95) };
}

/**
 * Reading back over HTTP with a tenant's key ÷ a hand-written statement for the same question in a process of its own on a copy of the same files.
 *
 * A shape passes when p95 of the API ≤ 1.5 × p95 of the statement + 3 ms; its row is (API p95 − 3 ms) ÷ statement p95, `query` that of the worst shape, `query.aim` the same with 1 ms.
 */
export async function query(): Promise<BenchResult[]> {
  const data = await makeQueryData();
  const pulse = await startPulse({ dataDir: data.dataDir });
  const engine = await startEngine(data.copyDir);
  try {
    const { rows } = await engine.run([
      `SELECT lower(hex(TraceId)) AS id FROM spans WHERE tenant = ${data.tenant} GROUP BY TraceId HAVING count() >= 5 ORDER BY id LIMIT 1`,
    ]);
    const shapes = shapesOf(data, String(rows[0]?.['id']));
    for (const shape of shapes) {
      shape.same(JSON.parse((await ask(pulse, data.key, shape)).text), (await engine.run([shape.sql])).rows);
    }
    const measured = new Map(shapes.map((shape) => [shape.name, [] as { api: number; sql: number }[]]));
    for (let round = 0; round < rounds; round += 1) {
      for (const shape of shapes) {
        const { api, sql } = await measure(pulse, engine, data, shape);
        measured.get(shape.name)?.push({ api, sql });
        process.stdout.write(
          `round ${round + 1} ${shape.name}: API ${api.toFixed(1)} ms, statement ${sql.toFixed(1)} ms\n`,
        );
      }
    }
    return toResults(measured);
  } finally {
    await engine.stop();
    await pulse.kill();
    rmSync(data.dataDir, { recursive: true, force: true });
    rmSync(data.copyDir, { recursive: true, force: true });
  }
}

function toResults(measured: ReadonlyMap<string, readonly { api: number; sql: number }[]>): BenchResult[] {
  const ratios = (ms: number) =>
    [...measured].map(([name, values]) => {
      const row = summarise(
        `query.${name}`,
        '',
        '×',
        values.map(({ api, sql }) => (api - ms) / sql),
        { pass: 1.5, better: 'lower' },
      );
      return { name, values, row };
    });
  const worst = (ms: number) => ratios(ms).reduce((a, b) => (b.row.value > a.row.value ? b : a));
  const named = (name: string, ms: number, target: { pass?: number; aim?: number }) => {
    const { name: shape, values } = worst(ms);
    return summarise(
      name,
      `(API p95 − ${ms} ms) ÷ statement p95, worst: ${shape}`,
      '×',
      values.map(({ api, sql }) => (api - ms) / sql),
      { ...target, better: 'lower' },
    );
  };
  return [
    named('query', allowance.pass, { pass: 1.5, aim: 1.1 }),
    named('query.aim', allowance.aim, { aim: 1.1 }),
    ...ratios(allowance.pass).map(({ row }) => ({
      ...row,
      metric: `(API p95 − ${allowance.pass} ms) ÷ statement p95`,
    })),
    ...[...measured].map(([name, values]) =>
      summarise(
        `query.${name}.api`,
        'API p95',
        'ms',
        values.map(({ api }) => api),
        { better: 'lower' },
      ),
    ),
    ...[...measured].map(([name, values]) =>
      summarise(
        `query.${name}.statement`,
        'statement p95',
        'ms',
        values.map(({ sql }) => sql),
        { better: 'lower' },
      ),
    ),
  ];
}
