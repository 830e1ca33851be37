import { Counter, Gauge } from 'prom-client';
import { z } from 'zod';
import { jobsReadiness } from '../control/leases.ts';
import type { Leadership } from '../control/port.ts';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { eventRoutes } from './http.ts';
import { createRelay } from './relay.ts';

/** Sends domain events from the outbox to the log, in one process. */
export const eventsModule: ModuleDefinition = defineModule({
  name: 'events',
  description: 'jobs: domain events from the outbox to the log',
  requires: ['control', 'log'],
  config: z.strictObject({
    pollSeconds: z.number().min(0.05).max(60).default(2),
    /** How long a sent event stays readable at `GET /api/v1/events`; the log has its own retention. */
    keptDays: z.int().min(1).max(3650).default(90),
  }),
  create(config, services) {
    const registers = [services.metrics];
    const sent = new Counter({
      name: 'pulse_domain_events_sent_total',
      help: 'Domain events appended to the log, repeats included',
      labelNames: ['type'],
      registers,
    });
    const waiting = new Gauge({ name: 'pulse_domain_events_waiting', help: 'Domain events not sent yet', registers });
    const age = new Gauge({
      name: 'pulse_domain_events_oldest_seconds',
      help: 'Age of the oldest domain event that is not sent yet',
      registers,
    });
    let leadership: Leadership | undefined;
    return {
      async start() {
        const { leases, outbox, log, clock, logger } = services;
        leadership = leases.lead('domain-events', (lease) => {
          const relay = createRelay({
            outbox,
            log,
            lease,
            logger,
            keptDays: config.keptDays,
            pollMs: config.pollSeconds * 1000,
            onSent: (types) => {
              for (const type of types) sent.inc({ type });
            },
            onBacklog({ events, since }) {
              waiting.set(events);
              age.set(since === null ? 0 : Math.max(0, (clock.now() - Date.parse(since)) / 1000));
            },
          });
          relay.start();
          return relay;
        });
      },
      ready: () => (leadership === undefined ? { ready: false, reason: 'not started' } : jobsReadiness([leadership])),
      async stop() {
        await leadership?.stop();
      },
    };
  },
});

/** `GET /api/v1/events`. */
export const eventsApiModule: ModuleDefinition = defineModule({
  name: 'events-api',
  description: 'domain events over HTTP',
  requires: ['control', 'http'],
  config: z.strictObject({}),
  create(_config, services) {
    services.http.register(eventRoutes({ control: services.control }));
    return { async start() {}, ready: () => ({ ready: true }) as const, async stop() {} };
  },
});

export const modules: readonly ModuleDefinition[] = [eventsModule, eventsApiModule];
