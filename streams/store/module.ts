import { join } from 'node:path';
import { Counter, Histogram } from 'prom-client';
import { z } from 'zod';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { createChdbStore } from './chdb-store.ts';
import { registerPartGauge } from './part-gauge.ts';
import { pipelineModules } from './pipeline-modules.ts';

/** The store under `DATA_DIR/store`. Provides `store`. */
export const storeModule: ModuleDefinition = defineModule({
  name: 'store',
  description: 'time-series store on the embedded ClickHouse engine',
  requires: [],
  config: z.strictObject({
    memoryMiB: z.int().min(256).max(65_536).default(450),
    connections: z.int().min(2).max(16).default(4),
  }),
  create(config, services) {
    const registers = [services.metrics];
    const rows = new Counter({
      name: 'pulse_store_inserted_rows_total',
      help: 'Rows handed to the engine, repeats of a token included',
      labelNames: ['table'],
      registers,
    });
    const seconds = new Histogram({
      name: 'pulse_store_insert_seconds',
      help: 'Time of one insert of a block',
      labelNames: ['table'],
      buckets: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers,
    });
    const store = createChdbStore({
      dir: join(services.dataDir, 'store'),
      memoryBytes: config.memoryMiB * 1024 * 1024,
      connections: config.connections,
      logger: services.logger,
      clock: services.clock,
      onInsert(table, count, duration) {
        rows.inc({ table }, count);
        seconds.observe({ table }, duration);
      },
    });
    let open = false;
    registerPartGauge(services.metrics, store, () => open);
    return {
      provides: { store },
      async start() {
        await store.start();
        open = true;
      },
      ready: () => (open ? { ready: true } : { ready: false, reason: 'the store is not open' }),
      async stop() {
        open = false;
        await store.stop();
      },
    };
  },
});

/** Modules of this folder. */
export const modules: readonly ModuleDefinition[] = [storeModule, ...pipelineModules()];
