import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { TenantDirectory } from 'streams/access';
import type { Store } from 'streams/store';
import { metricRoutes } from './metric-routes.ts';
import { createSelectionReader } from './metric-selection.ts';
import { createQueryGate } from './query-gate.ts';
import { recordRoutes } from './record-routes.ts';
import { createRollUpWatermark } from './roll-up-watermark.ts';
import type { ReadDependencies } from './route-scope.ts';

/** The read side of telemetry under `/api/v1/telemetry`. */
export function telemetryRoutes(deps: {
  readonly store: Store;
  readonly tenants: TenantDirectory;
  readonly clock: { now(): number };
}): FastifyPluginAsyncZod {
  const shared: ReadDependencies = {
    ...deps,
    gate: createQueryGate(),
    selections: createSelectionReader(() => performance.now()),
    watermark: createRollUpWatermark(() => performance.now()),
  };
  return async (app) => {
    await app.register(metricRoutes(shared));
    await app.register(recordRoutes(shared));
  };
}
