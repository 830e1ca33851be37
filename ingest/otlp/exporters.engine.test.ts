import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { createOtlpDecoder } from 'streams/otlp';
import { expect, test } from 'vitest';
import { openTestDoor } from '../testing/door.ts';

const everything = { oldestMs: 0, newestMs: 4e12 };

test('what the real OpenTelemetry exporters send over a socket arrives with every value', async () => {
  // The exporters stamp real time, so the door's clock is real too.
  const door = await openTestDoor({}, Date.now);
  await door.otlpHttp.listen({ host: '127.0.0.1', port: 0 });
  const address = door.otlpHttp.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const options = (signal: string) => ({
    url: `http://127.0.0.1:${address.port}/v1/${signal}`,
    headers: { authorization: 'Bearer alpha' },
    compression: CompressionAlgorithm.GZIP,
  });
  const resource = resourceFromAttributes({ 'service.name': 'isp-framework', 'dotmac.tenant.id': 'isp-alpha' });

  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(options('metrics')),
    exportIntervalMillis: 3_600_000,
  });
  const meters = new MeterProvider({ resource, readers: [reader] });
  const meter = meters.getMeter('isp', '1.0');
  meter.createCounter('dotmac.logins', { unit: '{login}' }).add(41, { region: 'north' });
  meter.createHistogram('http.server.request.duration', { unit: 's' }).record(0.25);
  await meters.forceFlush();

  const tracers = new TracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(options('traces')) })],
  });
  const span = tracers.getTracer('isp').startSpan('GET /customers', { attributes: { retries: 2 } });
  span.end();
  await tracers.forceFlush();

  const loggers = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(options('logs')) })],
  });
  loggers.getLogger('isp').emit({ body: 'radius is slow', severityNumber: SeverityNumber.WARN, severityText: 'WARN' });
  await loggers.forceFlush();

  const payload = (signal: string) => {
    const at = door.envelopes().findIndex((envelope) => envelope.signal === signal);
    const message = door.appended[at];
    if (message === undefined) throw new Error(`nothing arrived for ${signal}`);
    return message.payload;
  };
  const decoder = createOtlpDecoder();
  expect(decoder.metrics(payload('metrics'), 7, everything)).toEqual({ records: 2 });
  const { points, histograms } = decoder.takeMetrics();
  const [series] = points.series;
  expect([series?.metric, series?.temporality, series?.monotonic, points.value[0]]).toEqual([
    'dotmac.logins',
    'cumulative',
    true,
    41,
  ]);
  expect(series?.attributes.get('region')).toBe('north');
  expect(series?.attributes.get('resource.service.name')).toBe('isp-framework');
  expect(
    histograms.map((row) => [row.count, row.sum, row.min, row.series.bounds.length + 1 === row.bucketCounts.length]),
  ).toEqual([[1n, 0.25, 0.25, true]]);
  const spans = decoder.traces(payload('traces'), everything);
  expect(spans.map((row) => [row.name, row.serviceName, row.attributes.get('retries')])).toEqual([
    ['GET /customers', 'isp-framework', '2'],
  ]);
  expect(Buffer.from(spans[0]?.traceId ?? []).toString('hex')).toBe(span.spanContext().traceId);
  const logs = decoder.logs(payload('logs'), everything);
  expect(logs.map((row) => [row.body, row.severityNumber, row.severityText])).toEqual([['radius is slow', 13, 'WARN']]);

  await Promise.all([meters.shutdown(), tracers.shutdown(), loggers.shutdown()]);
  await door.otlpHttp.close();
});
