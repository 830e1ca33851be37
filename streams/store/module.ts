import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Counter, Gauge, Histogram } from 'prom-client';
import { z } from 'zod';
import { createOtlpDecoder, timeBounds } from '../otlp/index.ts';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import { createChdbStore } from './chdb-store.ts';
import { registerPartGauge } from './part-gauge.ts';
import { createRollUpJob, type RollUpJob } from './roll-up-job.ts';
import { createTableRecovery, startVerification, type Verification } from './table-recovery.ts';
import { createTelemetryConsumer, type TelemetryConsumer } from './telemetry-consumer.ts';
import { openUsageIdentities, type UsageIdentities } from './usage-identities.ts';

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

/** The consumer is busy for this long after a batch of so many records: the roll-up job then leaves the cores to it. */
const busyMs = 1000;
const busyRecords = 20_000;

/** Takes topic `telemetry` into the store and keeps the roll-ups. */
export const telemetryConsumerModule: ModuleDefinition = defineModule({
  name: 'telemetry-consumer',
  description: 'log to store: samples, histograms, spans, logs and usage events, and their roll-ups',
  requires: ['log', 'store', 'access'],
  config: z.strictObject({
    retentionDays: z.int().min(100).max(3650).default(400),
    maxBatchMiB: z.int().min(1).max(256).default(48),
    maxBatchRecords: z.int().min(1).max(100_000).default(2000),
    lingerMs: z.int().min(0).max(10_000).default(50),
    busyLingerMs: z.int().min(0).max(10_000).default(400),
    rollUpIntervalMs: z.int().min(100).max(600_000).default(1000),
    maxSeries: z.int().min(1000).max(10_000_000).default(500_000),
    verifySeconds: z.int().min(1).max(3600).default(60),
  }),
  create(config, services) {
    const registers = [services.metrics];
    const batches = new Counter({
      name: 'pulse_telemetry_batches_total',
      help: 'Batches taken from the log',
      registers,
    });
    const records = new Counter({ name: 'pulse_telemetry_records_total', help: 'Records decoded', registers });
    const duplicates = new Counter({
      name: 'pulse_telemetry_duplicates_total',
      help: 'Records stored before',
      registers,
    });
    const deadLetters = new Counter({
      name: 'pulse_telemetry_dead_letters_total',
      help: 'Records set aside',
      registers,
    });
    const batchSeconds = new Histogram({
      name: 'pulse_telemetry_batch_seconds',
      help: 'Time of one batch from decode to last insert',
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers,
    });
    const waiting = new Gauge({ name: 'pulse_roll_up_waiting_hours', help: 'Tenant hours to roll up', registers });
    const roundSeconds = new Histogram({
      name: 'pulse_roll_up_round_seconds',
      help: 'Time of one round of the roll-up job',
      buckets: [0.01, 0.1, 1, 5, 30],
      registers,
    });
    let identities: UsageIdentities | undefined;
    let consumer: TelemetryConsumer | undefined;
    let job: RollUpJob | undefined;
    let busyAt = Number.NEGATIVE_INFINITY;
    let verification: Verification | undefined;
    return {
      async start() {
        const { log, store, tenants, clock, logger } = services;
        const opened = openUsageIdentities(join(services.dataDir, 'usage-identities'));
        const running = createTelemetryConsumer({
          log,
          store,
          tenants,
          identities: opened,
          createDecoder: () => createOtlpDecoder({ maxSeries: config.maxSeries }),
          bounds: timeBounds,
          retentionDays: config.retentionDays,
          clock,
          logger,
          maxBytes: config.maxBatchMiB * 1024 * 1024,
          maxRecords: config.maxBatchRecords,
          lingerMs: config.lingerMs,
          busyLingerMs: config.busyLingerMs,
          onBatch(report) {
            if (report.records >= busyRecords) busyAt = performance.now();
            batches.inc();
            records.inc(report.records);
            duplicates.inc(report.duplicates);
            deadLetters.inc(report.deadLetters);
            batchSeconds.observe(report.seconds);
          },
        });
        identities = opened;
        consumer = running;
        const recovery = createTableRecovery({
          store,
          log,
          logger,
          clock,
          consumer: running,
          stateFile: join(services.dataDir, 'store', 'recovery.json'),
          listFiles: (directory) => readdir(directory),
        });
        await recovery.recover();
        await running.start();
        verification = startVerification(recovery, config.verifySeconds * 1000, logger);
        job = createRollUpJob({
          store,
          log,
          logger,
          lag: () => running.lag(),
          intervalMs: config.rollUpIntervalMs,
          isBusy: () => performance.now() - busyAt < busyMs,
          onRound(report) {
            waiting.set(report.waiting);
            roundSeconds.observe(report.seconds);
          },
        });
        job.start();
      },
      ready: () => (job ? { ready: true } : { ready: false, reason: 'the consumer has not started' }),
      async stop() {
        await job?.stop();
        await consumer?.stop();
        // What is on disk now need not be taken again after a power cut.
        await verification?.stop();
        verification = undefined;
        await identities?.close();
        job = undefined;
        identities = undefined;
      },
    };
  },
});

/** Modules of this folder. */
export const modules: readonly ModuleDefinition[] = [storeModule, telemetryConsumerModule];
