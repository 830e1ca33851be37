import { Counter } from 'prom-client';
import { jobsReadiness, type Leadership, type Lease } from 'streams/control';
import { defineModule, type ModuleDefinition, type RunningModule, type Services } from 'streams/runtime';
import { z } from 'zod';
import { createDecisionConsumer } from './decisions/decision-consumer.ts';
import { createDecisionLedger } from './decisions/decision-ledger.ts';
import { defaultGatePolicy } from './decisions/gates.ts';
import { decisionRoutes } from './decisions/http.ts';
import { deploymentRoutes } from './kubernetes/http.ts';
import { tenantRoutes } from './tenants/http.ts';
import { createTenantRegistry } from './tenants/tenant-registry.ts';

const Config = z.object({
  freshnessSeconds: z.coerce.number().int().positive().default(defaultGatePolicy.freshnessSeconds),
  coolDownSeconds: z.coerce.number().int().min(0).default(defaultGatePolicy.coolDownSeconds),
  expirySweepSeconds: z.coerce.number().int().positive().default(60),
});

/** The decision ledger with the gates of this configuration; jobs and routes share one kind. */
function ledgerOf(config: z.infer<typeof Config>, services: Services) {
  const { control, tenants, clock } = services;
  return createDecisionLedger({
    control,
    tenantById: (id) => tenants.byId(id),
    now: () => clock.now(),
    policy: {
      ...defaultGatePolicy,
      freshnessSeconds: config.freshnessSeconds,
      coolDownSeconds: config.coolDownSeconds,
    },
  });
}

function createJobs(config: z.infer<typeof Config>, services: Services): RunningModule {
  const { tenants, logger, log } = services;
  const ledger = ledgerOf(config, services);
  const consumer = createDecisionConsumer({
    log,
    ledger,
    logger,
    tenantExists: (id) => tenants.byId(id) !== undefined,
  });
  const expired = new Counter({
    name: 'pulse_decisions_expired_total',
    help: 'Open decisions that nobody resolved in time',
    registers: [services.metrics],
  });
  const startSweep = (lease: Lease) => {
    let sweeping: Promise<void> = Promise.resolve();
    const expire = async () => {
      try {
        expired.inc(await ledger.expire(lease));
      } catch (error) {
        logger.warn({ err: error }, 'expired decisions could not be marked; tried again at the next sweep');
      }
    };
    const sweep = setInterval(() => {
      sweeping = sweeping.then(expire);
    }, config.expirySweepSeconds * 1000);
    return {
      async stop() {
        clearInterval(sweep);
        await sweeping;
      },
    };
  };
  let jobs: Leadership[] = [];
  return {
    async start() {
      await consumer.start();
      jobs = [services.leases.lead('decision-expiry', startSweep)];
    },
    ready: () => jobsReadiness(jobs),
    async stop() {
      await Promise.all(jobs.map((job) => job.stop()));
      await consumer.stop();
    },
  };
}

/** The orchestrator's modules. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'orchestrator',
    description: 'jobs: decisions from the log through their gates, expiry of open ones',
    requires: ['log', 'control', 'access'],
    config: Config,
    create: createJobs,
  }),
  defineModule({
    name: 'orchestrator-api',
    description: 'tenants, decisions and Kubernetes plans over HTTP',
    requires: ['control', 'access', 'http'],
    // A decision is approved by the gates that it was judged by.
    section: 'orchestrator',
    config: Config,
    create(config, services) {
      const { control, clock, http, tenants } = services;
      const registry = createTenantRegistry({ control, now: () => clock.now(), refresh: () => tenants.refresh() });
      http.register(tenantRoutes(registry));
      http.register(decisionRoutes(ledgerOf(config, services)));
      http.register(deploymentRoutes);
      return { async start() {}, ready: () => ({ ready: true }) as const, async stop() {} };
    },
  }),
];
