import { hostname } from 'node:os';
import { type Meter, metrics, type Tracer, trace } from '@opentelemetry/api';
import { type Logger, logs } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { FailureLog } from './failures.ts';
import { type CheckedOptions, checkOptions, PulseOptionError, type PulseOptions } from './options.ts';
import { producePoints } from './points.ts';
import { RunningNumbers } from './running-numbers.ts';

/** A running connection to Pulse. */
export interface Pulse {
  meter(name: string, version?: string): Meter;
  tracer(name: string, version?: string): Tracer;
  logger(name: string, version?: string): Logger;
  /** Sends everything recorded so far. *Errors* rejects with {@link PulseExportError} when Pulse could not be reached or refused. */
  forceFlush(): Promise<void>;
  /** Sends the rest and stops; further calls give the same promise. *Errors* rejects with {@link PulseExportError} when the rest did not arrive. */
  shutdown(): Promise<void>;
}

/**
 * With cumulative temporality the SDK goes on exporting every attribute set that an observable gauge ever showed; a component that was down once would
 * stay down. Delta exports what was observed this time; a gauge carries no temporality on the wire.
 */
class FreshGaugeExporter extends OTLPMetricExporter {
  override selectAggregationTemporality(instrument: InstrumentType): AggregationTemporality {
    return instrument === InstrumentType.OBSERVABLE_GAUGE
      ? AggregationTemporality.DELTA
      : super.selectAggregationTemporality(instrument);
  }
}

/**
 * Its `shutdown` alone of the three signals rejects, and the process-wide set-up then stops waiting for the other two. So it is kept until all are done.
 */
class PatientSpanProcessor extends BatchSpanProcessor {
  #failed: { readonly error: unknown } | undefined;

  override async shutdown(): Promise<void> {
    try {
      await super.shutdown();
    } catch (error) {
      this.#failed = { error };
    }
  }

  throwFailure(): void {
    if (this.#failed !== undefined) throw this.#failed.error;
  }
}

interface Providers {
  meter(name: string, version?: string): Meter;
  tracer(name: string, version?: string): Tracer;
  logger(name: string, version?: string): Logger;
  shutdown(): Promise<void>;
}

interface Pipelines {
  readonly reader: PeriodicExportingMetricReader;
  readonly spans: PatientSpanProcessor;
  readonly records: BatchLogRecordProcessor;
}

/**
 * Starts sending metrics, traces and logs of this process to Pulse: OTLP over HTTP, protobuf, gzip, the tenant's key as bearer token.
 *
 * *Errors* {@link PulseOptionError} naming the option; `sdk.already_started` when the process has a global OpenTelemetry set-up already (`global: false` lives beside it).
 */
export function startPulse(options: PulseOptions): Pulse {
  const checked = checkOptions(options, hostname());
  const resource = defaultResource()
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(resourceFromAttributes(checked.resource));
  if (checked.global) refuseSecondGlobal();
  const failures = new FailureLog({
    onError: checked.onError,
    writeLine: (line) => process.stderr.write(`${line}\n`),
    nowMs: () => performance.now(),
  });
  const pipelines = createPipelines(checked, failures);
  const providers = checked.global ? startGlobal(resource, pipelines) : startIsolated(resource, pipelines);
  let stopped: Promise<void> | undefined;
  return {
    meter: providers.meter,
    tracer: providers.tracer,
    logger: providers.logger,
    forceFlush: async () => {
      if (stopped === undefined) await failures.during(() => flush(pipelines));
    },
    shutdown: () => {
      stopped ??= failures.during(async () => {
        await providers.shutdown();
        pipelines.spans.throwFailure();
      });
      return stopped;
    },
  };
}

/** Waits for all three signals even if one fails. */
async function flush({ reader, spans, records }: Pipelines): Promise<void> {
  const ended = await Promise.allSettled([reader.forceFlush(), spans.forceFlush(), records.forceFlush()]);
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}

interface Exporter<Items, Result extends { readonly error?: Error }> {
  export(items: Items, done: (result: Result) => void): void;
}

/** What an exporter is watched by: failures that the SDK tells to `diag` only, which is silent unless the program sets a logger, and numbers for what it sends. */
interface Watch<Items> {
  readonly url: string;
  readonly signal: 'metrics' | 'traces' | 'logs';
  readonly failures: FailureLog;
  readonly numbers: RunningNumbers;
  recordsOf(items: Items): number;
}

function watched<Items, Result extends { readonly error?: Error }, E extends Exporter<Items, Result>>(
  exporter: E & Exporter<Items, Result>,
  watch: Watch<Items>,
): E {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    watch.numbers.during(watch.signal, watch.recordsOf(items), () =>
      send(items, (result) => {
        if (result.error !== undefined) watch.failures.add(watch.url, result.error);
        done(result);
      }),
    );
  return exporter;
}

/** A point counts 1, also a histogram's: as Pulse counts. */
const pointsOf = ({ scopeMetrics }: ResourceMetrics): number =>
  scopeMetrics.reduce(
    (sum, { metrics: own }) => sum + own.reduce((points, { dataPoints }) => points + dataPoints.length, 0),
    0,
  );

function createPipelines(options: CheckedOptions, failures: FailureLog): Pipelines {
  const numbers = new RunningNumbers();
  const connection = (signal: string) => ({
    url: `${options.endpoint}/v1/${signal}`,
    // Asked for with each attempt, within the export that it belongs to.
    headers: async () => ({ Authorization: `Bearer ${options.apiKey}`, ...numbers.headers() }),
    compression: CompressionAlgorithm.GZIP,
  });
  const [toMetrics, toTraces, toLogs] = [connection('metrics'), connection('traces'), connection('logs')];
  return {
    reader: new PeriodicExportingMetricReader({
      exporter: watched(new FreshGaugeExporter(toMetrics), {
        ...{ url: toMetrics.url, signal: 'metrics', failures, numbers },
        recordsOf: pointsOf,
      }),
      exportIntervalMillis: options.metricIntervalMs,
      exportTimeoutMillis: Math.min(options.metricIntervalMs, 30_000),
      metricProducers: options.points === undefined ? [] : [producePoints(options.points)],
    }),
    spans: new PatientSpanProcessor({
      exporter: watched(new OTLPTraceExporter(toTraces), {
        ...{ url: toTraces.url, signal: 'traces', failures, numbers },
        recordsOf: (spans) => spans.length,
      }),
    }),
    records: new BatchLogRecordProcessor({
      exporter: watched(new OTLPLogExporter(toLogs), {
        ...{ url: toLogs.url, signal: 'logs', failures, numbers },
        recordsOf: (records) => records.length,
      }),
    }),
  };
}

/** The process-wide set-up: `NodeSDK` registers context, propagation and the three providers. */
function startGlobal(resource: Resource, pipelines: Pipelines): Providers {
  const sdk = new NodeSDK({
    resource,
    // process and host detectors would put the process id and its arguments into the identity of every series
    autoDetectResources: false,
    metricReaders: [pipelines.reader],
    spanProcessors: [pipelines.spans],
    logRecordProcessors: [pipelines.records],
    instrumentations: [],
  });
  sdk.start();
  return {
    meter: (name, version) => metrics.getMeter(name, version),
    tracer: (name, version) => trace.getTracer(name, version),
    logger: (name, version) => logs.getLogger(name, version),
    shutdown: () => sdk.shutdown(),
  };
}

function startIsolated(resource: Resource, pipelines: Pipelines): Providers {
  const meters = new MeterProvider({ resource, readers: [pipelines.reader] });
  const tracers = new TracerProvider({ resource, spanProcessors: [pipelines.spans] });
  const loggers = new LoggerProvider({ resource, processors: [pipelines.records] });
  return {
    meter: (name, version) => meters.getMeter(name, version),
    tracer: (name, version) => tracers.getTracer(name, version),
    logger: (name, version) => loggers.getLogger(name, version),
    shutdown: async () => {
      await Promise.all([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
    },
  };
}

/** A second global registration would be ignored by the API and its telemetry lost without a word. */
function refuseSecondGlobal(): void {
  if (!metrics.setGlobalMeterProvider(metrics.getMeterProvider())) {
    throw new PulseOptionError(
      'global',
      'this process has a global OpenTelemetry set-up already; shut it down first or pass global: false',
      'sdk.already_started',
    );
  }
  metrics.disable();
}
