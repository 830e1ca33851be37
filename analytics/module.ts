import { Counter, Gauge } from 'prom-client';
import { fencedStore, jobsReadiness, type Leadership, type Lease } from 'streams/control';
import type { ForwardTarget } from 'streams/forwarding';
import { defineModule, type ModuleDefinition, type Services, startRounds } from 'streams/runtime';
import { z } from 'zod';
import { sendDerivedMetrics } from './derived/derived-job.ts';
import { fleetRoutes } from './fleet/http.ts';
import { createTenantTable } from './fleet/tenant-table.ts';
import { forecastRoutes } from './forecast/http.ts';
import { defaultScalingPolicy } from './scaling/policy.ts';
import { createScalingJob } from './scaling/scaling-job.ts';
import { slaRoutes } from './sla/http.ts';
import { serviceLevelRebuilder } from './sla/service-level-rebuilder.ts';
import { createSlaJob } from './sla/sla-job.ts';
import { telemetryRoutes } from './telemetry/http.ts';

const Config = z.strictObject({
  scalingIntervalSeconds: z.int().min(1).max(86_400).default(60),
  /** Pause between two runs of the service level job; it grows with the cost of a run. */
  slaIntervalSeconds: z.number().min(0.1).max(3600).default(3),
});

/** Work of a leader, see `Leases`. */
type Loop = (lease: Lease) => { stop(): Promise<void> };

/** Runs the scaling job again and again, never twice at once. */
function scalingLoop(config: z.infer<typeof Config>, services: Services): Loop {
  const judged = new Counter({
    name: 'pulse_scaling_judgements_total',
    help: 'tenants judged by the scaling policy, by result; frozen: stale or too little telemetry',
    labelNames: ['result'],
    registers: [services.metrics],
  });
  return (lease) => {
    const reasons = new Map<string, string>();
    const job = createScalingJob({
      store: services.store,
      log: services.log,
      tenants: services.tenants,
      clock: services.clock,
      policy: defaultScalingPolicy,
      observer: {
        judged(tenantId, result, reason) {
          judged.inc({ result });
          // A line a change, not a line a minute; of an open proposal nothing is new.
          if (result === 'open' || reasons.get(tenantId) === result) return;
          reasons.set(tenantId, result);
          services.logger.info({ tenant: tenantId, result, reason }, 'scaling judged');
        },
      },
    });
    const intervalMs = config.scalingIntervalSeconds * 1_000;
    return startRounds(async () => {
      try {
        await lease.check();
        await job.run();
      } catch (error) {
        services.logger.error({ err: error }, 'the scaling job failed and runs again at its next turn');
      }
      return intervalMs;
    }, intervalMs);
  };
}

/** At most a quarter of the time goes into service levels, and a run waits no longer than this. */
const slaPauseMsMax = 60_000;

/** Runs the service level job again and again, never twice at once; at once when history is still waiting, with as long a pause as its work took. */
function slaLoop(config: z.infer<typeof Config>, services: Services): Loop {
  const waitingHours = new Gauge({
    name: 'pulse_sla_waiting_hours',
    help: 'tenant-hours whose service level is not computed yet',
    registers: [services.metrics],
  });
  return (lease) => {
    const job = createSlaJob({
      store: fencedStore(services.store, lease),
      log: services.log,
      elapsedMs: () => performance.now(),
      onRefused: (hour, error) =>
        services.logger.error({ ...hour, code: error.code }, 'the service level of an hour cannot be computed'),
    });
    const rounds = startRounds(async () => {
      const began = performance.now();
      let waiting = 0;
      try {
        ({ waiting } = await services.maintenance.gate.run(() => job.run()));
        waitingHours.set(waiting);
      } catch (error) {
        services.logger.error({ err: error }, 'service levels could not be computed and are tried again');
      }
      const cost = performance.now() - began;
      const pause = Math.min(slaPauseMsMax, Math.max(config.slaIntervalSeconds * 1000, 3 * cost));
      return waiting > 0 ? Math.min(cost, pause) : pause;
    }, 0);
    return {
      async stop() {
        job.stop();
        await rounds.stop();
      },
    };
  };
}

/** The tenant list is compared in memory, so often costs nothing. */
const tenantTableMs = 5_000;

/** Copies the tenant list into the store for dashboards, by whichever processes run this: equal rows replace each other. */
function tenantTableLoop(services: Services): Loop {
  return (lease) => {
    const { tenants, clock, store } = services;
    const table = createTenantTable({ tenants, clock, store: fencedStore(store, lease) });
    return startRounds(async () => {
      await table
        .run()
        .catch((error) => services.logger.error({ err: error }, 'the tenant list could not be copied into the store'));
      return tenantTableMs;
    }, 0);
  };
}

/** Sends derived metrics every interval, never twice at once. */
function derivedLoop(intervalMs: number, target: ForwardTarget, services: Services): Loop {
  const sent = new Counter({
    name: 'pulse_derived_metrics_total',
    help: 'Rounds of derived metrics by result',
    labelNames: ['result'],
    registers: [services.metrics],
  });
  return (lease) => {
    const { store, tenants, clock, logger } = services;
    return startRounds(async () => {
      try {
        const { failure } = await sendDerivedMetrics({ store, tenants, clock, target, lease });
        sent.inc({ result: failure ?? 'sent' });
      } catch (error) {
        sent.inc({ result: 'failed' });
        logger.warn({ err: error }, 'derived metrics could not be computed; the next round has newer ones');
      }
      return intervalMs;
    }, 0);
  };
}

/** Modules of this folder: telemetry read back, service levels, forecasts and the fleet overview over HTTP, and the jobs behind them. */
export const modules: readonly ModuleDefinition[] = [
  defineModule({
    name: 'analytics',
    description: 'jobs: service levels of touched hours, scaling proposals',
    requires: ['store', 'log', 'access', 'control'],
    config: Config,
    create(config, services) {
      services.maintenance.rebuilders.push(serviceLevelRebuilder());
      const loops = {
        'service-levels': slaLoop(config, services),
        scaling: scalingLoop(config, services),
        'tenant-table': tenantTableLoop(services),
      };
      let jobs: Leadership[] = [];
      return {
        async start() {
          jobs = Object.entries(loops).map(([name, loop]) => services.leases.lead(name, loop));
        },
        ready: () => jobsReadiness(jobs),
        async stop() {
          await Promise.all(jobs.map((job) => job.stop()));
        },
      };
    },
  }),
  defineModule({
    name: 'derived-metrics',
    description: 'jobs: service levels as metrics to the receiver of forwarded telemetry (off without one)',
    requires: ['store', 'access', 'control', 'forward-target'],
    config: z.strictObject({ intervalSeconds: z.number().min(0.1).max(3600).default(60) }),
    create(config, services) {
      let jobs: Leadership[] = [];
      return {
        async start() {
          const { forwardTarget: target, leases } = services;
          if (target?.derived !== true) return;
          jobs = [leases.lead('derived-metrics', derivedLoop(config.intervalSeconds * 1000, target, services))];
        },
        ready: () => jobsReadiness(jobs),
        async stop() {
          await Promise.all(jobs.map((job) => job.stop()));
        },
      };
    },
  }),
  defineModule({
    name: 'analytics-api',
    description: 'telemetry read back, service levels, forecasts, fleet overview, over HTTP',
    requires: ['store', 'access', 'http'],
    config: z.strictObject({}),
    create(_config, services) {
      const deps = { store: services.store, tenants: services.tenants, clock: services.clock };
      services.http.register(telemetryRoutes(deps));
      services.http.register(slaRoutes(deps));
      services.http.register(forecastRoutes(deps));
      services.http.register(fleetRoutes(deps));
      return { async start() {}, ready: () => ({ ready: true }) as const, async stop() {} };
    },
  }),
];
