import { Metadata } from '@grpc/grpc-js';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { createOtlpDecoder } from 'streams/otlp';
import { expect, test } from 'vitest';
import { openTestDoor, type TestDoor } from '../testing/door.ts';

const everything = { oldestMs: 0, newestMs: 4e12 };

interface Exporters {
  readonly metrics: PushMetricExporter;
  readonly traces: SpanExporter;
  readonly logs: LogRecordExporter;
}

/** The exporters of one protocol, pointed at a door that listens. */
type Connect = (door: TestDoor) => Promise<Exporters>;

const overHttp =
  (make: (options: (signal: string) => object) => Exporters): Connect =>
  async (door) => {
    const base = await door.otlpHttp.listen({ host: '127.0.0.1', port: 0 });
    return make((signal) => ({
      url: `${base}/v1/${signal}`,
      headers: { authorization: 'Bearer alpha' },
      compression: CompressionAlgorithm.GZIP,
    }));
  };

const overGrpc: Connect = async (door) => {
  const url = await door.otlpGrpc.listen({ host: '127.0.0.1', port: 0, variable: 'PORT', tls: null });
  const options = () => {
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer alpha');
    return { url, metadata, compression: CompressionAlgorithm.GZIP };
  };
  return { metrics: new GrpcMetrics(options()), traces: new GrpcTraces(options()), logs: new GrpcLogs(options()) };
};

const protocols: readonly (readonly [string, Connect])[] = [
  [
    'http/protobuf',
    overHttp((options) => ({
      metrics: new ProtoMetrics(options('metrics')),
      traces: new ProtoTraces(options('traces')),
      logs: new ProtoLogs(options('logs')),
    })),
  ],
  [
    'http/json',
    overHttp((options) => ({
      metrics: new JsonMetrics(options('metrics')),
      traces: new JsonTraces(options('traces')),
      logs: new JsonLogs(options('logs')),
    })),
  ],
  ['grpc', overGrpc],
];

test.each(protocols)(
  'what the real OpenTelemetry exporters send by %s arrives with every value',
  async (_name, connect) => {
    // The exporters stamp real time, so the door's clock is real too.
    const door = await openTestDoor({}, Date.now);
    const exporters = await connect(door);
    const resource = resourceFromAttributes({ 'service.name': 'isp-framework', 'dotmac.tenant.id': 'isp-alpha' });

    const reader = new PeriodicExportingMetricReader({
      exporter: exporters.metrics,
      exportIntervalMillis: 3_600_000,
    });
    const meters = new MeterProvider({ resource, readers: [reader] });
    const meter = meters.getMeter('isp', '1.0');
    meter.createCounter('dotmac.logins', { unit: '{login}' }).add(41, { region: 'north' });
    meter.createHistogram('http.server.request.duration', { unit: 's' }).record(0.25);
    await meters.forceFlush();

    const tracers = new TracerProvider({
      resource,
      spanProcessors: [new BatchSpanProcessor({ exporter: exporters.traces })],
    });
    const span = tracers.getTracer('isp').startSpan('GET /customers', { attributes: { retries: 2 } });
    span.end();
    await tracers.forceFlush();

    const loggers = new LoggerProvider({
      resource,
      processors: [new BatchLogRecordProcessor({ exporter: exporters.logs })],
    });
    loggers
      .getLogger('isp')
      .emit({ body: 'radius is slow', severityNumber: SeverityNumber.WARN, severityText: 'WARN' });
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
    expect(logs.map((row) => [row.body, row.severityNumber, row.severityText])).toEqual([
      ['radius is slow', 13, 'WARN'],
    ]);

    await Promise.all([meters.shutdown(), tracers.shutdown(), loggers.shutdown()]);
    await Promise.all([door.otlpHttp.close(), door.otlpGrpc.drain()]);
  },
);
