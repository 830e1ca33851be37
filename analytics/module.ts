import { Counter } from 'prom-client';
import { defineModule, type ModuleDefinition, type RunningModule, type Services } from 'streams/runtime';
import { z } from 'zod';
import { fleetRoutes } from './fleet/http.ts';
import { forecastRoutes } from './forecast/http.ts';
import { defaultScalingPolicy } from './scaling/policy.ts';
import { createScalingJob } from './scaling/scaling-job.ts';
import { slaRoutes } from './sla/http.ts';
import { telemetryRoutes } from './telemetry/http.ts';

const Config = z.strictObject({
  scalingIntervalSeconds: z.int().min(1).max(86_400).default(60),
});

/** Runs the scaling job again and again, never twice at once. */
function scalingLoop(config: z.infer<typeof Config>, services: Services): Pick<RunningModule, 'start' | 'stop'> {
  const judged = new Counter({
    name: 'pulse_scaling_judgements_total',
    help: 'tenants judged by the scaling policy, by result; frozen: stale or too little telemetry',
    labelNames: ['result'],
    registers: [services.metrics],
  });
  const reasons = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const start = async (): Promise<void> => {
    const job = createScalingJob({
      store: services.store,
      log: services.log,
      tenants: services.tenants,
      clock: services.clock,
      policy: defaultScalingPolicy,
      observer: {
        judged(tenantId, result, reason) {
          judged.inc({ result });
          // A line a change, not a line a minute.
          if (reasons.get(tenantId) === result) return;
          reasons.set(tenantId, result);
          services.logger.info({ tenant: tenantId, result, reason }, 'scaling judged');
        },
      },
    });
    const round = async (): Promise<void> => {
      try {
        await job.run();
      } catch (error) {
        services.logger.error({ err: error }, 'the scaling job failed and runs again at its next turn');
      }
      if (!stopped) schedule();
    };
    const schedule = (): void => {
      timer = setTimeout(() => {
        running = round();
      }, config.scalingIntervalSeconds * 1_000);
    };
    schedule();
  };
  return {
    start,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Modules of this folder: telemetry read back, service levels, forecasts, the fleet overview and scaling proposals. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'analytics',
    description: 'reads telemetry back, service levels, forecasts, fleet overview, scaling proposals',
    requires: ['store', 'log', 'access', 'http'],
    config: Config,
    create(config, services) {
      const deps = { store: services.store, tenants: services.tenants, clock: services.clock };
      services.http.register(telemetryRoutes(deps));
      services.http.register(slaRoutes(deps));
      services.http.register(forecastRoutes(deps));
      services.http.register(fleetRoutes(deps));
      const loop = scalingLoop(config, services);
      return { ...loop, ready: () => ({ ready: true }) };
    },
  }),
];
