import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Counter, Histogram } from 'prom-client';
import { z } from 'zod';
import { secret } from '../runtime/config.ts';
import { defineModule, type ModuleDefinition, type Services } from '../runtime/module.ts';
import { createChdbStore } from './chdb-store.ts';
import { clickhouseModules } from './clickhouse-http/module.ts';
import { parseServerAddress } from './clickhouse-server-address.ts';
import type { EngineSessions } from './engine-sessions.ts';
import { createHttpStore } from './http-store.ts';
import { registerPartGauge } from './part-gauge.ts';
import { pipelineModules } from './pipeline-modules.ts';
import type { Store } from './port.ts';

function mustBeServerAddress(url: string, context: z.RefinementCtx): void {
  try {
    parseServerAddress(url);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
}

const StoreConfig = z.strictObject({
  /** Memory of the embedded engine, caches included. */
  memoryMiB: z.int().min(256).max(65_536).default(450),
  connections: z.int().min(2).max(64).default(4),
  /** A ClickHouse server, `http(s)://user:password@host:8123/database`; without it the engine of this process. */
  url: z.string().min(1).superRefine(mustBeServerAddress).optional(),
  user: z.string().min(1).optional(),
  password: secret().optional(),
  database: z.string().min(1).optional(),
  /** Certificate authority of the server, a file in PEM; the system's authorities otherwise. */
  caFile: z.string().min(1).optional(),
  /** How long the start waits for a server that does not answer yet. */
  startWaitSeconds: z.int().min(0).max(3600).default(60),
});

type InsertObserver = (table: string, rows: number, seconds: number) => void;

function observeInserts(services: Services): InsertObserver {
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
  return (table, count, duration) => {
    rows.inc({ table }, count);
    seconds.observe({ table }, duration);
  };
}

function createStore(
  config: z.infer<typeof StoreConfig>,
  services: Services,
): { readonly store: Store; readonly engine: EngineSessions | null } {
  const { logger, clock } = services;
  const onInsert = observeInserts(services);
  if (config.url === undefined) {
    const store = createChdbStore({
      dir: join(services.dataDir, 'store'),
      memoryBytes: config.memoryMiB * 1024 * 1024,
      connections: config.connections,
      logger,
      clock,
      onInsert,
    });
    return { store, engine: store.sessions };
  }
  const address = parseServerAddress(config.url, {
    user: config.user,
    password: config.password?.reveal(),
    database: config.database,
  });
  const certificateAuthority = config.caFile === undefined ? undefined : readFileSync(config.caFile);
  const { connections, startWaitSeconds } = config;
  const store = createHttpStore({
    address,
    certificateAuthority,
    connections,
    startWaitSeconds,
    logger,
    clock,
    onInsert,
  });
  return { store, engine: null };
}

/** The store: the embedded engine under `DATA_DIR/store`, or a ClickHouse server. Provides `store` and `engine`. */
export const storeModule: ModuleDefinition = defineModule({
  name: 'store',
  description: 'time-series store on the embedded ClickHouse engine, or on a ClickHouse server (url)',
  requires: [],
  config: StoreConfig,
  create(config, services) {
    const { store, engine } = createStore(config, services);
    let open = false;
    registerPartGauge(services.metrics, store, () => open);
    return {
      provides: { store, engine },
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
export const modules: readonly ModuleDefinition[] = [storeModule, ...clickhouseModules, ...pipelineModules()];
