import { Gauge } from 'prom-client';
import { createCallAccess } from 'streams/access';
import { defineModule, type ModuleDefinition, type RunningModule, type Services } from 'streams/runtime';
import { z } from 'zod';
import { createAdmission } from './acceptance/admission.ts';
import { createIngestMetrics } from './acceptance/ingest-metrics.ts';
import { createMemoryGuard, defaultMemoryBytes } from './acceptance/memory-guard.ts';
import { SeriesCensus } from './acceptance/series-census.ts';
import { createTelemetryAcceptor } from './acceptance/telemetry-acceptor.ts';
import { createDeadLetters } from './dead-letters/dead-letters.ts';
import { deadLetterRoutes } from './dead-letters/http.ts';
import { createOtlpGrpcServer } from './grpc/otlp-grpc-server.ts';
import { monitoringRoutes } from './monitoring/http.ts';
import { otlpRoutes } from './otlp/http.ts';
import { rejectedRoutes } from './rejections/http.ts';
import { createRejectionCounts } from './rejections/rejection-counts.ts';
import { remoteWriteRoutes } from './remote-write/http.ts';
import { usageEventRoutes } from './usage-events/http.ts';

const mebibyte = 1024 * 1024;

export const IngestConfig = z.strictObject({
  /** One request as it comes, compressed or not. */
  maxBodyMiB: z.int().min(1).max(256).default(20),
  maxDecompressedMiB: z.int().min(1).max(1024).default(64),
  /** All requests that are being taken together; beyond it the door answers 503. */
  maxInFlightMiB: z.int().min(1).max(4096).default(192),
  grpc: z
    .strictObject({
      maxConcurrentStreams: z.int().min(1).max(10_000).default(256),
      receiveTimeoutSeconds: z.number().min(0.1).max(3600).default(60),
      /** A connection that does not answer a ping of this rhythm is closed. */
      keepaliveSeconds: z.number().min(1).max(86_400).default(60),
      keepaliveTimeoutSeconds: z.number().min(1).max(3600).default(20),
      idleSeconds: z.number().min(1).max(86_400).default(900),
      drainSeconds: z.number().min(0.1).max(600).default(10),
    })
    .prefault({}),
  /** Memory of the process beyond which requests are taken one at a time; absent: four fifths of what the machine or the container has. */
  maxMemoryMiB: z.int().min(64).optional(),
  /** Active series of all tenants together that the limits are counted for; about 35 bytes each. */
  maxTrackedSeries: z.int().min(1000).max(100_000_000).default(4_000_000),
  /** How long after the start new series may come at any rate: all are new to a process that has just started. */
  warmUpSeconds: z.number().min(0).max(3600).default(300),
  /** How often counts of refused data are written for the tenants to see. */
  rejectedFlushSeconds: z.number().min(0.1).max(3600).default(5),
});

/** Modules of this folder: everything that takes telemetry and usage from the tenants. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'ingest',
    description:
      'OTLP over HTTP and gRPC, CloudEvents usage events and REST monitoring: authenticated, bounded and validated onto the log',
    requires: ['log', 'control', 'access', 'http'],
    config: IngestConfig,
    create: (config, services) => createIngest(config, services),
  }),
  defineModule({
    name: 'ingest-api',
    description: 'data that was turned away and why, over HTTP',
    requires: ['control', 'access', 'http'],
    config: z.object({}),
    create(_config, services) {
      services.http.register(rejectedRoutes(services.control, services.clock));
      return { async start() {}, ready: () => ({ ready: true }) as const, async stop() {} };
    },
  }),
  defineModule({
    name: 'dead-letters',
    description: 'records that could not be stored: one with its bytes, and its replay, over HTTP',
    requires: ['log', 'store', 'control', 'access', 'http'],
    config: z.object({}),
    create(_config, services) {
      const { store, log, control, tenants, clock } = services;
      services.http.register(deadLetterRoutes(createDeadLetters({ store, log, control, tenants, clock })));
      return { async start() {}, ready: () => ({ ready: true }) as const, async stop() {} };
    },
  }),
];

function createIngest(config: z.infer<typeof IngestConfig>, services: Services): RunningModule {
  const { log, clock } = services;
  const limitsOf = (tenantId: string) => services.limits.of(tenantId);
  const now = () => clock.now();
  const rejections = createRejectionCounts({ control: services.control, now });
  const metrics = createIngestMetrics(services.metrics, rejections);
  const memory = createMemoryGuard({
    maxBytes: config.maxMemoryMiB === undefined ? defaultMemoryBytes() : config.maxMemoryMiB * mebibyte,
  });
  const admission = createAdmission({
    limitsOf,
    maxInFlightBytes: config.maxInFlightMiB * mebibyte,
    memory,
    now,
  });
  const census = new SeriesCensus({
    maxSeries: config.maxTrackedSeries,
    warmUntilMs: now() + config.warmUpSeconds * 1000,
  });
  new Gauge({
    name: 'pulse_ingest_active_series',
    help: 'Series with a point in the last hour, of all tenants, as the limits count them.',
    registers: [services.metrics],
    collect() {
      this.set(census.totals().active);
    },
  });
  const acceptor = createTelemetryAcceptor({ log, metrics, admission, census, limitsOf });
  const maxBodyBytes = config.maxBodyMiB * mebibyte;
  const otlp = otlpRoutes({
    acceptor,
    metrics,
    clock,
    admission,
    maxBodyBytes,
    maxDecompressedBytes: config.maxDecompressedMiB * mebibyte,
  });
  services.otlpHttp.register(otlp);
  services.http.register(otlp);
  const remoteWrite = remoteWriteRoutes({
    acceptor,
    metrics,
    clock,
    admission,
    limitsOf,
    maxBodyBytes,
    maxDecompressedBytes: config.maxDecompressedMiB * mebibyte,
  });
  services.otlpHttp.register(remoteWrite);
  services.http.register(remoteWrite);
  services.listeners.push(
    createOtlpGrpcServer({
      acceptor,
      admission,
      metrics,
      clock,
      access: createCallAccess({ access: services.access, tenants: services.tenants, metrics: services.metrics }),
      logger: services.logger,
      maxMessageBytes: maxBodyBytes,
      maxConcurrentStreams: config.grpc.maxConcurrentStreams,
      receiveTimeoutMs: config.grpc.receiveTimeoutSeconds * 1000,
      keepaliveMs: config.grpc.keepaliveSeconds * 1000,
      keepaliveTimeoutMs: config.grpc.keepaliveTimeoutSeconds * 1000,
      idleMs: config.grpc.idleSeconds * 1000,
      drainMs: config.grpc.drainSeconds * 1000,
    }),
  );
  services.http.register(usageEventRoutes({ log, clock, metrics, admission, limitsOf, maxBodyBytes }));
  services.http.register(monitoringRoutes({ acceptor, clock, metrics, admission, maxBodyBytes }));
  const flush = async () => {
    try {
      await rejections.flush();
    } catch (error) {
      services.logger.warn({ err: error }, 'counts of refused data were not written; they are kept for the next time');
    }
  };
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();
  return {
    async start() {
      memory.start();
      timer = setInterval(() => {
        flushing = flushing.then(flush);
      }, config.rejectedFlushSeconds * 1000);
      timer.unref();
    },
    ready: () => ({ ready: true }) as const,
    async stop() {
      memory.stop();
      clearInterval(timer);
      await flushing;
      await flush();
    },
  };
}
