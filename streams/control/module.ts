import { join } from 'node:path';
import { Gauge } from 'prom-client';
import { z } from 'zod';
import { secret } from '../runtime/config.ts';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { auditRoutes } from './audit-http.ts';
import { createControl } from './kysely-control.ts';
import { createLeases } from './leases.ts';
import { waitForServer } from './server-wait.ts';

/** Whether passwords and rows leave this machine in the clear. A url that cannot be read is for the driver to refuse. */
function isExposed(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname, searchParams } = new URL(url);
  const isLocal = hostname === '' || hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  const mode = searchParams.get('sslmode');
  return !isLocal && (mode === null || mode === 'disable');
}

/** The control-plane database; its routes stand in module `control-api`, because the HTTP applications need the database first. */
export const controlModule: ModuleDefinition = defineModule({
  name: 'control',
  description: 'control-plane database (PGlite or PostgreSQL), row-level security, audit chain, leases of jobs',
  requires: [],
  config: z.object({
    /** `postgres://user:password@host/database`; TLS by `?sslmode=verify-full&sslrootcert=FILE`. Embedded when absent. */
    postgresUrl: secret()
      .refine(
        (url) => /^postgres(?:ql)?:\/\//.test(url.reveal()),
        'an address such as postgres://user:password@host:5432/database',
      )
      .optional(),
    /** How long the start waits for a server that does not answer yet. */
    startWaitSeconds: z.coerce.number().int().min(0).max(3600).default(60),
    /** Connections of this process to a server. */
    connections: z.coerce.number().int().min(2).max(200).default(10),
    /** A job whose process is gone is taken over after this time at most; leases are renewed every third of it. Default 15, embedded 60: there nobody waits for one. */
    leaseSeconds: z.coerce.number().min(1).max(600).optional(),
  }),
  create(config, services) {
    const url = config.postgresUrl?.reveal();
    const control = createControl({
      connection:
        url === undefined
          ? { kind: 'pglite', dir: join(services.dataDir, 'control') }
          : { kind: 'postgres', url, connections: config.connections },
      logger: services.logger,
      clock: services.clock,
    });
    const leading = new Gauge({
      name: 'pulse_leader',
      help: '1 while this process leads the job, 0 while it stands by',
      labelNames: ['job'],
      registers: [services.metrics],
    });
    const leaseMs = (config.leaseSeconds ?? (url === undefined ? 60 : 15)) * 1000;
    const leases = createLeases({
      table: control.leaseTable({ leaseMs }),
      leaseMs,
      logger: services.logger,
      onChange: (job, isLeading) => leading.set({ job }, isLeading ? 1 : 0),
    });
    let started = false;
    const stopping = new AbortController();
    return {
      provides: { control, leases, outbox: control.outbox },
      async start() {
        if (url !== undefined && isExposed(url))
          services.logger.warn('the way to the database is not encrypted: add ?sslmode=verify-full to its url');
        if (url === undefined) await control.start();
        else
          await waitForServer(() => control.start(), {
            waitMs: config.startWaitSeconds * 1000,
            host: URL.parse(url)?.host ?? 'unknown',
            logger: services.logger,
            signal: stopping.signal,
          });
        started = true;
      },
      ready() {
        const failure = control.failure();
        if (failure !== null) return { ready: false, reason: failure.message };
        return started ? { ready: true } : { ready: false, reason: 'the control-plane database is opening' };
      },
      async stop() {
        stopping.abort();
        await leases.stop();
        await control.stop();
      },
    };
  },
});

/** `GET /api/v1/audit` and `…/verify`. */
export const controlApiModule: ModuleDefinition = defineModule({
  name: 'control-api',
  description: 'audit log over HTTP',
  requires: ['control', 'http'],
  config: z.object({}),
  create(_config, services) {
    services.http.register(auditRoutes({ control: services.control }));
    return { async start() {}, ready: () => ({ ready: true }), async stop() {} };
  },
});

export const modules: readonly ModuleDefinition[] = [controlModule, controlApiModule];
