import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import { jobsReadiness } from '../control/leases.ts';
import type { Leadership } from '../control/port.ts';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { replayRoutes } from './http.ts';
import { createReplayService, type ReplayService } from './replay-service.ts';

/** Replays over HTTP, in the process that takes the log into the tables. */
export const replayModule: ModuleDefinition = defineModule({
  name: 'replay',
  description: 'rebuilds hours from the log, compares them with the live tables, and swaps them',
  requires: ['log', 'store', 'control', 'access', 'http', 'telemetry-consumer', 'roll-ups'],
  config: z.strictObject({}),
  create(_config, services) {
    let service: ReplayService | null = null;
    let leadership: Leadership | undefined;
    let leads = false;
    const here = () => {
      if (service !== null && leads) return service;
      throw new AppError('maintenance.elsewhere', 'another process looks after replays, or none does yet: ask again', {
        status: 409,
        retryable: true,
      });
    };
    services.http.register(replayRoutes(here));
    return {
      async start() {
        const { control, store, log, maintenance, tenants, clock } = services;
        const logger = services.logger.child({ module: 'replay' });
        const running = createReplayService({ control, store, log, maintenance, tenants, clock, logger });
        service = running;
        leadership = services.leases.lead('replay', async () => {
          await running.clean();
          leads = true;
          return {
            async stop() {
              leads = false;
              await running.stop();
            },
          };
        });
      },
      ready: () => jobsReadiness(leadership === undefined ? [] : [leadership]),
      async stop() {
        await leadership?.stop();
        await service?.stop();
      },
    };
  },
});
