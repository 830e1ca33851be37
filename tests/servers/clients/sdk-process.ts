import { SpanKind } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { logs, metrics, resources, tracing } from '@opentelemetry/sdk-node';

/**
 * A program with the OpenTelemetry SDK, for the time given, then a line of what it made: `{"points","spans","logRecords"}`.
 * The SDK gives a batch up after some tries; this program gives it to the same exporter again until it says that it arrived.
 */
const [endpoint = '', apiKey = '', seconds = '10'] = process.argv.slice(2);
const resource = resources.resourceFromAttributes({ 'service.name': 'sdk-client', 'service.namespace': 'dotmac' });
const connection = (signal: string) => ({
  url: `${endpoint}/v1/${signal}`,
  headers: { authorization: `Bearer ${apiKey}` },
  timeoutMillis: 3_000,
});
const ledger = { points: 0, spans: 0, logRecords: 0, tries: 0 };
let pending = 0;

interface Exporter<Items> {
  export(items: Items, done: (result: { code: number; error?: Error }) => void): void;
}

/** Counts each batch once, and gives it again until it has arrived. */
function until<Items, E extends Exporter<Items>>(exporter: E & Exporter<Items>, count: (items: Items) => void): E {
  const once = exporter.export.bind(exporter);
  exporter.export = (items, done) => {
    count(items);
    pending += 1;
    const again = () => {
      ledger.tries += 1;
      once(items, (result) => {
        if (result.code !== 0) return void setTimeout(again, 100);
        pending -= 1;
        done(result);
      });
    };
    again();
  };
  return exporter;
}

const reader = new metrics.PeriodicExportingMetricReader({
  exporter: until(new OTLPMetricExporter(connection('metrics')), (batch) => {
    for (const scope of batch.scopeMetrics) {
      for (const metric of scope.metrics) ledger.points += metric.dataPoints.length;
    }
  }),
  exportIntervalMillis: 500,
  // the reader's patience is not what is tested
  exportTimeoutMillis: 500,
});
const meters = new metrics.MeterProvider({ resource, readers: [reader] });
const spanProcessor = new tracing.BatchSpanProcessor(
  until(new OTLPTraceExporter(connection('traces')), (batch) => {
    ledger.spans += batch.length;
  }),
  { maxQueueSize: 1_000_000, scheduledDelayMillis: 200, exportTimeoutMillis: 600_000 },
);
const tracers = new tracing.BasicTracerProvider({ resource, spanProcessors: [spanProcessor] });
const recordProcessor = new logs.BatchLogRecordProcessor({
  exporter: until(new OTLPLogExporter(connection('logs')), (batch) => {
    ledger.logRecords += batch.length;
  }),
  maxQueueSize: 1_000_000,
  scheduledDelayMillis: 200,
  exportTimeoutMillis: 600_000,
});
const loggers = new logs.LoggerProvider({ resource, processors: [recordProcessor] });

const meter = meters.getMeter('client');
const requests = meter.createCounter('dotmac.logins', { unit: '{login}' });
const duration = meter.createHistogram('http.server.request.duration', { unit: 's' });
const customers = meter.createUpDownCounter('dotmac.customers.active', { unit: '{customer}' });
const tracer = tracers.getTracer('client');
const logger = loggers.getLogger('client');
const deadline = Date.now() + Number(seconds) * 1000;
let turn = 0;
const made = { spans: 0, logRecords: 0 };

const work = setInterval(() => {
  for (let index = 0; index < 5; index += 1) {
    turn += 1;
    requests.add(1, { method: turn % 2 === 0 ? 'pap' : 'chap' });
    duration.record((turn % 100) / 1000, { 'http.route': `/customers/${turn % 7}` });
    customers.add(turn % 3 === 0 ? -1 : 1);
    tracer.startSpan(`GET /customers/${turn % 7}`, { kind: SpanKind.SERVER }).end();
    logger.emit({ severityNumber: SeverityNumber.WARN, body: `radius is slow ${turn}` });
    made.spans += 1;
    made.logRecords += 1;
  }
  if (Date.now() >= deadline) {
    clearInterval(work);
    void end();
  }
}, 20);

/** Ends between two exports: without a shutdown, which would end the exporters while a batch waits for its next try. */
async function end(): Promise<void> {
  await Promise.all([tracers.forceFlush(), loggers.forceFlush(), meters.forceFlush()]);
  while (pending > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  if (made.spans !== ledger.spans || made.logRecords !== ledger.logRecords) {
    throw new Error(`the SDK itself dropped: made ${JSON.stringify(made)}, exported ${JSON.stringify(ledger)}`);
  }
  process.stdout.write(`${JSON.stringify(ledger)}\n`, () => process.exit(0));
}
