import { describe, expect, it } from 'vitest';
import { incidentsOfWeek, WEEK_MS } from './incident.ts';
import { BOUNDS, BUCKETS, HISTOGRAM_WIDTH } from './latency.ts';
import { MetricsEncoder } from './metrics-encoder.ts';
import { decode, decodeMetrics, plain } from './otlp-proto.fixture.ts';
import { PROFILES, type Profile } from './profile.ts';
import { DAY_MS } from './rhythm.ts';
import { historyWindows } from './schedule.ts';
import { TenantModel } from './tenant-model.ts';
import { type SeriesPoints, TenantSeries } from './tenant-series.ts';
import { encodeLogs, encodeSpans, logsBetween, spansBetween } from './traces-logs.ts';
import { eventsBetween } from './usage.ts';

const EPOCH = Date.UTC(2026, 7, 13);
const RESOURCE = { 'service.name': 'isp-framework', 'dotmac.simulated': true };
const profileOf = (id: string): Profile => {
  const found = PROFILES.find((profile) => profile.id === id);
  if (found === undefined) throw new Error(id);
  return found;
};
const seriesOf = (profile: Profile, seed = 7) => new TenantSeries(new TenantModel(profile, seed, EPOCH));
const every = (from: number, stepMs: number, count: number) =>
  Array.from({ length: count }, (_, index) => from + index * stepMs);
const keyOf = (points: SeriesPoints) => JSON.stringify([points.series.metric, points.series.attributes]);

/** Every value by series and instant. */
function valuesOf(windows: readonly SeriesPoints[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const points of windows) {
    const width = points.series.kind === 'histogram' ? HISTOGRAM_WIDTH : 1;
    for (const [index, time] of points.times.entries()) {
      found.set(`${keyOf(points)} ${time}`, [...points.values.slice(index * width, (index + 1) * width)]);
    }
  }
  return found;
}

describe('the simulated fleet', () => {
  it('gives the same bytes for the same seed and others for another seed', () => {
    const bytes = (seed: number) =>
      new MetricsEncoder(RESOURCE, 'fleet', EPOCH).encode(
        seriesOf(profileOf('isp-mu'), seed).window(every(EPOCH + 5 * DAY_MS, 300_000, 40)),
      );
    expect(Buffer.compare(bytes(7), bytes(7))).toBe(0);
    expect(Buffer.compare(bytes(7), bytes(8))).not.toBe(0);
  });

  it.each(PROFILES)('$id: any window equals the same slice of a longer run', (profile) => {
    const long = valuesOf(seriesOf(profile).window(every(EPOCH + 20 * DAY_MS, 300_000, 600)));
    const slice = valuesOf(seriesOf(profile).window(every(EPOCH + 21 * DAY_MS, 300_000, 50)));
    expect(slice.size).toBeGreaterThanOrEqual(40 * 50);
    for (const [key, value] of slice) expect(long.get(key), key).toEqual(value);
  });

  it.each(PROFILES)('$id: at least 40 series, each instant in each', (profile) => {
    const windows = seriesOf(profile).window([EPOCH + DAY_MS]);
    expect(new Set(windows.map(keyOf)).size).toBe(windows.length);
    expect(windows.length).toBeGreaterThanOrEqual(40);
    for (const points of windows) {
      expect(points.values.length).toBe(points.series.kind === 'histogram' ? HISTOGRAM_WIDTH : 1);
      for (const value of points.values) expect(Number.isFinite(value) && value >= 0, keyOf(points)).toBe(true);
    }
  });

  it.each(PROFILES)('$id: counters are whole and never fall, over days, incidents and live steps', (profile) => {
    const series = seriesOf(profile);
    const times = [...every(EPOCH, 1_800_000, 48 * 30), ...every(EPOCH + 30 * DAY_MS, 15_000, 400)];
    for (const points of series.window(times)) {
      if (points.series.kind === 'gauge') continue;
      const width = points.series.kind === 'histogram' ? HISTOGRAM_WIDTH : 1;
      for (let index = 0; index < points.values.length; index += 1) {
        const value = points.values[index] ?? -1;
        const isSum = width > 1 && index % width === 1;
        if (!isSum && !Number.isInteger(value)) throw new Error(`${keyOf(points)}: ${value} is not whole`);
        if (value < (points.values[index - width] ?? 0)) throw new Error(`${keyOf(points)} falls at ${index}`);
      }
    }
  });

  it('histogram buckets add up to the count', () => {
    const series = seriesOf(profileOf('isp-zeta'));
    const histograms = series
      .window(every(EPOCH + 40 * DAY_MS, 60_000, 100))
      .filter((points) => points.series.kind === 'histogram');
    expect(histograms.length).toBe(7);
    for (const { values } of histograms) {
      for (let at = 0; at < values.length; at += HISTOGRAM_WIDTH) {
        const buckets = [...values.slice(at + 2, at + HISTOGRAM_WIDTH)];
        expect(buckets.length).toBe(BUCKETS);
        expect(buckets.reduce((a, b) => a + b, 0)).toBe(values[at]);
      }
    }
  });

  it('an incident shows: health falls, errors rise, logs say so', () => {
    const profile = profileOf('isp-zeta');
    const series = seriesOf(profile);
    const firstWeek = Math.floor(EPOCH / WEEK_MS) + 1;
    const incident = Array.from({ length: 60 }, (_, week) =>
      incidentsOfWeek(profile, series.model.seed, firstWeek + week),
    )
      .flat()
      .find((one) => one.status === 'down' && one.component === 0);
    if (incident === undefined) throw new Error('the noisy one has no outage of its api in sixty weeks');
    const health = (time: number) =>
      series
        .window([time])
        .filter((points) => points.series.metric === 'dotmac.health.status' && points.values[0] === 0).length;
    expect(health(incident.start - 60_000)).toBe(0);
    expect(health(incident.start)).toBeGreaterThanOrEqual(1);
    expect(health(incident.end)).toBe(0);
    const failed = (time: number) => series.model.incidentRequests(time, 'failed');
    expect(failed(incident.end) - failed(incident.start)).toBeGreaterThan(10);
    expect(failed(incident.start) - failed(incident.start - 600_000)).toBe(0);
    const errors = logsBetween(series.model, incident.start, incident.end, 300_000).filter(
      (log) => log.severity === 17,
    );
    expect(errors.length).toBe((incident.end - incident.start) / 60_000);
  });

  it('the declining ISP loses customers and logins while tickets and failed payments rise', () => {
    const series = seriesOf(profileOf('isp-epsilon'));
    const gained = (metric: string, from: number) => {
      const total = (time: number) =>
        series
          .window([time])
          .filter((points) => points.series.metric === metric)
          .reduce((sum, points) => sum + (points.values[0] ?? 0), 0);
      return total(from + 7 * DAY_MS) - total(from);
    };
    const [early, late] = [EPOCH, EPOCH + 93 * DAY_MS];
    expect(series.model.customers(late)).toBeLessThan(0.65 * series.model.customers(early));
    expect(gained('dotmac.logins', late)).toBeLessThan(0.5 * gained('dotmac.logins', early));
    expect(gained('dotmac.payments.failed', late)).toBeGreaterThan(1.5 * gained('dotmac.payments.failed', early));
    const tickets = (from: number) =>
      every(from, 3_600_000, 168).reduce((sum, time) => sum + series.model.openTickets(time, 1), 0);
    expect(tickets(late)).toBeGreaterThan(1.8 * tickets(early));
  });

  it('the day has a rhythm and the week too', () => {
    const series = seriesOf(profileOf('isp-gamma'));
    const gained = (from: number, ms: number) => series.requests(from + ms) - series.requests(from);
    const monday = Date.UTC(2026, 8, 7);
    expect(gained(monday + 18 * 3_600_000, 3_600_000)).toBeGreaterThan(2 * gained(monday + 3 * 3_600_000, 3_600_000));
    expect(gained(monday, DAY_MS)).toBeGreaterThan(1.05 * gained(monday - DAY_MS, DAY_MS));
  });
});

describe('usage events', () => {
  it('have the same identity and value however the time is cut', () => {
    const from = EPOCH + 3 * DAY_MS;
    const whole = eventsBetween(seriesOf(profileOf('isp-alpha')), from, from + 2 * DAY_MS);
    const series = seriesOf(profileOf('isp-alpha'));
    const cut = every(from, 1_500_000, 116).flatMap((start) =>
      eventsBetween(series, start, Math.min(start + 1_500_000, from + 2 * DAY_MS)),
    );
    expect(cut.map((event) => JSON.stringify(event)).sort()).toEqual(
      whole.map((event) => JSON.stringify(event)).sort(),
    );
    expect(new Set(whole.map((event) => event.id)).size).toBe(whole.length);
    expect(new Set(whole.map((event) => event.type))).toEqual(
      new Set(['api_calls', 'ai_call', 'plugin_call', 'payment_transaction']),
    );
    for (const event of whole) expect(event.data['value']).toMatch(/^\d+(\.\d{2})?$/);
    const days = Map.groupBy(
      whole.filter((event) => event.type === 'payment_transaction'),
      (event) => event.time.slice(0, 10),
    );
    for (const payments of days.values()) expect(payments.length).toBeLessThanOrEqual(40);
  });

  it('api_calls of a day are what the duration histograms gained', () => {
    const series = seriesOf(profileOf('isp-beta'));
    const from = EPOCH + 9 * DAY_MS;
    const called = eventsBetween(series, from, from + DAY_MS)
      .filter((event) => event.type === 'api_calls')
      .reduce((sum, event) => sum + Number(event.data['value']), 0);
    const counts = (time: number) =>
      series
        .window([time])
        .filter((points) => points.series.kind === 'histogram')
        .reduce((sum, points) => sum + (points.values[0] ?? 0), 0);
    expect(called).toBe(counts(from + DAY_MS) - counts(from));
  });
});

describe('the encoder', () => {
  it('writes what an independent OTLP decoder reads back, value for value', () => {
    const series = seriesOf(profileOf('isp-zeta'));
    const times = every(EPOCH + 30 * DAY_MS, 300_000, 2_000);
    const windows = series.window(times);
    const decoded = decodeMetrics(new MetricsEncoder(RESOURCE, 'fleet', EPOCH).encode(windows));
    expect(decoded.attributes).toEqual(RESOURCE);
    expect(new Set(decoded.metrics.map((metric) => metric.name)).size).toBe(decoded.metrics.length);
    const expected = valuesOf(windows);
    let seen = 0;
    for (const metric of decoded.metrics) {
      const data = metric.gauge ?? metric.sum ?? metric.histogram;
      if (metric.sum !== undefined) expect(metric.sum).toMatchObject({ aggregationTemporality: 2, isMonotonic: true });
      if (metric.histogram !== undefined) expect(metric.histogram.aggregationTemporality).toBe(2);
      for (const point of data?.dataPoints ?? []) {
        const attributes = Object.entries(plain(point.attributes)).map(([name, value]) => [
          name,
          name.endsWith('status_code') ? Number(value) : value,
        ]);
        const time = Number(BigInt(point.timeUnixNano) / 1_000_000n);
        const value = expected.get(`${JSON.stringify([metric.name, attributes])} ${time}`);
        const read =
          point.bucketCounts === undefined
            ? [point.asInt === undefined ? point.asDouble : Number(point.asInt)]
            : [Number(point.count), point.sum, ...point.bucketCounts.map(Number)];
        if (JSON.stringify(read) !== JSON.stringify(value)) expect(read).toEqual(value);
        if (metric.gauge === undefined) expect(point.startTimeUnixNano).toBe(`${EPOCH}000000`);
        if (point.explicitBounds !== undefined) expect(point.explicitBounds).toEqual([...BOUNDS]);
        seen += 1;
      }
    }
    expect(seen).toBe(expected.size);
  });

  it('writes spans and logs that the same decoder reads', () => {
    const { model } = seriesOf(profileOf('isp-beta'));
    const spans = spansBetween(model, EPOCH, EPOCH + 3_600_000, 1_200_000);
    expect(spans.length).toBe(9);
    const trace = decode('ExportTraceServiceRequest', encodeSpans(RESOURCE, 'fleet', spans)) as {
      resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[];
    };
    const read = trace.resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
    expect(read.map((span) => span['name'])).toEqual(spans.map((span) => span.name));
    expect(Buffer.from(String(read[1]?.['parentSpanId']), 'base64')).toEqual(Buffer.from(spans[0]?.spanId ?? []));
    expect(read[0]?.['startTimeUnixNano']).toBe(`${EPOCH}000000`);
    const logs = logsBetween(model, EPOCH, EPOCH + 3_600_000, 1_200_000);
    expect(logs.length).toBeGreaterThanOrEqual(3);
    const records = decode('ExportLogsServiceRequest', encodeLogs(RESOURCE, 'fleet', logs)) as {
      resourceLogs: { scopeLogs: { logRecords: { body: { stringValue: string } }[] }[] }[];
    };
    expect(records.resourceLogs[0]?.scopeLogs[0]?.logRecords.map((record) => record.body.stringValue)).toEqual(
      logs.map((log) => log.body),
    );
  });
});

describe('historyWindows', () => {
  it('covers every 5 minutes, then every minute of the last 3 days, ascending without gap or overlap', () => {
    const end = EPOCH + 10 * DAY_MS + 7 * 60_000 + 15_000;
    const windows = historyWindows(EPOCH, end);
    const times = windows.flatMap((window) => window.times);
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    expect(times.filter((time) => time >= end - 3 * DAY_MS).length).toBeGreaterThanOrEqual(3 * 1440 - 5);
    expect(times.filter((time) => time % 300_000 === 0).length).toBe(10 * 288 + 2);
    let at = EPOCH;
    for (const window of windows) {
      expect(window.start).toBe(at);
      at = window.end;
    }
    expect(at).toBe(end);
  });
});
