import { Counter } from 'prom-client';
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

function create(config: z.infer<typeof Config>, services: Services): RunningModule {
  const { control, tenants, clock, logger, log } = services;
  const now = () => clock.now();
  const ledger = createDecisionLedger({
    control,
    tenantById: (id) => tenants.byId(id),
    now,
    policy: {
      ...defaultGatePolicy,
      freshnessSeconds: config.freshnessSeconds,
      coolDownSeconds: config.coolDownSeconds,
    },
  });
  const registry = createTenantRegistry({ control, now, refresh: () => tenants.refresh() });
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
  services.http.register(tenantRoutes(registry));
  services.http.register(decisionRoutes(ledger));
  services.http.register(deploymentRoutes);

  let sweep: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> = Promise.resolve();
  const expire = async () => {
    try {
      expired.inc(await ledger.expire());
    } catch (error) {
      logger.warn({ err: error }, 'expired decisions could not be marked; tried again at the next sweep');
    }
  };
  return {
    async start() {
      await consumer.start();
      sweep = setInterval(() => {
        sweeping = expire();
      }, config.expirySweepSeconds * 1000);
    },
    ready: () => ({ ready: true }),
    async stop() {
      clearInterval(sweep);
      await sweeping;
      await consumer.stop();
    },
  };
}

/** The orchestrator's modules. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'orchestrator',
    description: 'tenants, decisions with their gates, and Kubernetes plans',
    requires: ['log', 'control', 'access', 'http'],
    config: Config,
    create,
  }),
];
