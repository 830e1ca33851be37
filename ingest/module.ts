import { createCallAccess } from 'streams/access';
import { defaultLimits } from 'streams/contract';
import { defineModule, type ModuleDefinition } from 'streams/runtime';
import { z } from 'zod';
import { createAdmission } from './acceptance/admission.ts';
import { createIngestMetrics } from './acceptance/ingest-metrics.ts';
import { createTelemetryAcceptor } from './acceptance/telemetry-acceptor.ts';
import { createOtlpGrpcServer } from './grpc/otlp-grpc-server.ts';
import { monitoringRoutes } from './monitoring/http.ts';
import { otlpRoutes } from './otlp/http.ts';
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
  /** How old telemetry may be; the store keeps as long. */
  retentionDays: z.int().min(1).max(3650).default(400),
});

/** Modules of this folder: everything that takes telemetry and usage from the tenants. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'ingest',
    description:
      'OTLP over HTTP and gRPC, CloudEvents usage events and REST monitoring: authenticated, bounded and validated onto the log',
    requires: ['log', 'access', 'http'],
    config: IngestConfig,
    create(config, services) {
      const { log, clock } = services;
      const metrics = createIngestMetrics(services.metrics);
      const acceptor = createTelemetryAcceptor({ log, metrics, retentionDays: config.retentionDays });
      const admission = createAdmission({
        limitsOf: () => defaultLimits,
        maxInFlightBytes: config.maxInFlightMiB * mebibyte,
      });
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
      services.http.register(usageEventRoutes({ log, clock, metrics, maxBodyBytes }));
      services.http.register(monitoringRoutes({ acceptor, clock, metrics }));
      return {
        async start() {},
        ready: () => ({ ready: true }) as const,
        async stop() {},
      };
    },
  }),
];
