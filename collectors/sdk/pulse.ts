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
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { type CheckedOptions, checkOptions, PulseOptionError, type PulseOptions } from './options.ts';

/** A running connection to Pulse. */
export interface Pulse {
  meter(name: string, version?: string): Meter;
  tracer(name: string, version?: string): Tracer;
  logger(name: string, version?: string): Logger;
  /** Sends everything recorded so far. *Errors* rejects when Pulse could not be reached or refused. */
  forceFlush(): Promise<void>;
  /** Sends the rest and stops; further calls do nothing. *Errors* rejects when the rest could not be sent. */
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

interface Providers {
  meter(name: string, version?: string): Meter;
  tracer(name: string, version?: string): Tracer;
  logger(name: string, version?: string): Logger;
  shutdown(): Promise<void>;
}

interface Pipelines {
  readonly reader: PeriodicExportingMetricReader;
  readonly spans: BatchSpanProcessor;
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
  const pipelines = createPipelines(checked);
  const providers = checked.global ? startGlobal(resource, pipelines) : startIsolated(resource, pipelines);
  let stopped: Promise<void> | undefined;
  return {
    meter: providers.meter,
    tracer: providers.tracer,
    logger: providers.logger,
    forceFlush: async () => {
      if (stopped !== undefined) return;
      await Promise.all([pipelines.reader.forceFlush(), pipelines.spans.forceFlush(), pipelines.records.forceFlush()]);
    },
    shutdown: () => {
      stopped ??= providers.shutdown();
      return stopped;
    },
  };
}

function createPipelines(options: CheckedOptions): Pipelines {
  const connection = (signal: string) => ({
    url: `${options.endpoint}/v1/${signal}`,
    headers: { Authorization: `Bearer ${options.apiKey}` },
    compression: CompressionAlgorithm.GZIP,
  });
  return {
    reader: new PeriodicExportingMetricReader({
      exporter: new FreshGaugeExporter(connection('metrics')),
      exportIntervalMillis: options.metricIntervalMs,
      exportTimeoutMillis: Math.min(options.metricIntervalMs, 30_000),
    }),
    spans: new BatchSpanProcessor({ exporter: new OTLPTraceExporter(connection('traces')) }),
    records: new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(connection('logs')) }),
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
