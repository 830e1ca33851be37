import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Histogram } from 'prom-client';
import { z } from 'zod';
import { accessPlugin } from '../access/index.ts';
import { describeApi } from './api-document.ts';
import type { ServerConfig } from './config.ts';
import { createApp, listen } from './http-server.ts';
import type { ModuleState } from './manager.ts';
import { defineModule, type ModuleDefinition, type Services } from './module.ts';
import { TlsFiles } from './tls-files.ts';

/** What the HTTP modules need of the process beside the shared services. */
export interface HttpProcess {
  server(): ServerConfig;
  readonly version: string;
  readiness(): readonly ModuleState[];
  onListening(addresses: Services['addresses']): void;
}

/** Module `http` makes both applications and the process's own routes; module `gateway` listens once everything before it has started. */
export function httpModules(process: HttpProcess): {
  readonly http: ModuleDefinition;
  readonly gateway: ModuleDefinition;
} {
  // Both modules share it: made with the applications, watched while they listen.
  const transport: { tls: TlsFiles | null } = { tls: null };
  return {
    http: defineModule({
      name: 'http',
      description: 'API and OTLP/HTTP applications: access checks, errors, OpenAPI, health and metrics',
      requires: ['access'],
      config: z.object({}),
      create: (_config, services) => createHttp(process, services, transport),
    }),
    gateway: defineModule({
      name: 'gateway',
      description: 'listens on the HTTP and gRPC ports after every other module has started, and closes them first',
      requires: ['http'],
      config: z.object({}),
      create: (_config, services) => createGateway(process, services, transport),
    }),
  };
}

function createHttp(process: HttpProcess, services: Services, transport: { tls: TlsFiles | null }) {
  const server = process.server();
  const tls =
    server.tlsCert === undefined || server.tlsKey === undefined ? null : new TlsFiles(server.tlsCert, server.tlsKey);
  transport.tls = tls;
  const { metrics: registry } = services;
  const http = createApp(server, services.logger, { tls, metrics: registry });
  const otlpHttp = createApp(server, services.logger, { tls, metrics: registry, refusals: 'status' });
  describeApi(http, process.version);
  // Before the access checks: a browser asks without credentials whether it may ask with them.
  if (server.corsOrigins.length > 0) allowOrigins(otlpHttp, server.corsOrigins);
  for (const app of [http, otlpHttp]) {
    const { access, tenants, limits, metrics } = services;
    app.register(accessPlugin({ access, tenants, limits, metrics }));
    app.register(selfRoutes(process, services));
  }
  http.register(async (app) => {
    app.get(
      '/api/openapi.json',
      { config: { permission: 'public' }, schema: { hide: true } as object },
      async (_request, reply) => reply.serializer(JSON.stringify).send(http.swagger()),
    );
  });
  collectDefaultMetrics({ register: services.metrics });
  const seconds = new Histogram({
    name: 'pulse_http_request_duration_seconds',
    help: 'Duration of HTTP requests by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [services.metrics],
  });
  for (const app of [http, otlpHttp]) {
    app.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url ?? 'unmatched';
      seconds.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    });
  }
  return {
    provides: {
      http,
      otlpHttp,
      listeners: [],
      addresses: { http: null, otlpHttp: null, otlpGrpc: null, clickhouseHttp: null },
    },
    async start() {},
    ready: () => ({ ready: true }) as const,
    async stop() {},
  };
}

/** Lets pages of these origins send OTLP/HTTP. *Source* OTLP specification, "OTLP/HTTP"; Fetch standard, "CORS protocol". */
function allowOrigins(app: Services['http'], origins: readonly string[]): void {
  app.addHook('onRoute', (route) => {
    if (route.method === 'OPTIONS' && route.url === '*') route.config = { ...route.config, permission: 'public' };
  });
  app.register(cors, {
    // Other origins get no header and the same 405 as without the setting.
    origin: async (origin: string | undefined) =>
      origin !== undefined && (origins.includes('*') || origins.includes(origin)) ? origin : false,
    methods: ['POST'],
    exposedHeaders: ['retry-after'],
    credentials: false,
    maxAge: 3600,
    strictPreflight: false,
  });
}

function selfRoutes(process: HttpProcess, services: Services) {
  return async (app: Services['http']) => {
    const open = { config: { permission: 'public' as const }, schema: { hide: true } as object };
    app.get('/healthz', open, async (_request, reply) => reply.type('application/json').send('{"status":"ok"}'));
    app.get('/readyz', open, async (_request, reply) => {
      const modules = process.readiness();
      const ready = modules.every((module) => module.state.ready);
      return reply
        .code(ready ? 200 : 503)
        .type('application/json')
        .send(JSON.stringify({ ready, modules: modules.map(({ name, state }) => ({ name, ...state })) }));
    });
    app.get('/metrics', open, async (_request, reply) =>
      reply.type(services.metrics.contentType).send(await services.metrics.metrics()),
    );
  };
}

const listenerPorts = (server: ServerConfig) => ({
  otlpGrpc: { port: server.otlpGrpcPort, variable: 'PULSE_OTLP_GRPC_PORT' },
  clickhouseHttp: { port: server.clickhouseHttpPort, variable: 'PULSE_CLICKHOUSE_HTTP_PORT' },
});

function createGateway(process: HttpProcess, services: Services, transport: { readonly tls: TlsFiles | null }) {
  let listening = false;
  const server = process.server();
  return {
    async start() {
      await services.http.ready();
      await services.otlpHttp.ready();
      // A process without the door needs no second port.
      if (services.otlpHttp.hasRoute({ method: 'POST', url: '/v1/metrics' }))
        services.addresses.otlpHttp = await listen(
          services.otlpHttp,
          server.host,
          server.otlpHttpPort,
          'PULSE_OTLP_HTTP_PORT',
        );
      for (const listener of services.listeners) {
        const { port, variable } = listenerPorts(server)[listener.address];
        // Off unless a port is given.
        if (port === undefined) continue;
        services.addresses[listener.address] = await listener.listen({
          host: server.host,
          port,
          variable,
          tls: transport.tls,
        });
      }
      services.addresses.http = await listen(services.http, server.host, server.httpPort, 'PULSE_HTTP_PORT');
      transport.tls?.watch(services.logger, server.certificateCheckSeconds * 1000);
      listening = true;
      process.onListening(services.addresses);
    },
    ready: () => (listening ? ({ ready: true } as const) : ({ ready: false, reason: 'not listening' } as const)),
    /** Stops accepting and waits for the requests in hand: nothing is acknowledged after this. */
    async stop() {
      listening = false;
      transport.tls?.stop();
      await Promise.all([
        drainApp(services.otlpHttp),
        drainApp(services.http),
        ...services.listeners.map((listener) => listener.drain()),
      ]);
    },
  };
}

/** Requests in hand may take so long; whoever is not done then, such as a sender that has stopped in the middle of its body, is cut off unanswered. */
const drainMs = 20_000;
const idleEveryMs = 50;

/** Closes an application: requests in hand are answered first. A connection that is busy when this begins falls idle later and would stay open for its whole keep-alive time: it is closed then. */
async function drainApp(app: FastifyInstance): Promise<void> {
  const deadline = performance.now() + drainMs;
  const timer = setInterval(() => {
    if (performance.now() > deadline) app.server.closeAllConnections();
    else app.server.closeIdleConnections();
  }, idleEveryMs);
  try {
    await app.close();
  } finally {
    clearInterval(timer);
  }
}
