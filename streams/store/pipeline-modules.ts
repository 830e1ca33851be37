import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Counter, Gauge, Histogram } from 'prom-client';
import { z } from 'zod';
import { fencedStore } from '../control/fenced-store.ts';
import { jobsReadiness } from '../control/leases.ts';
import type { Leadership } from '../control/port.ts';
import type { ConsumerOptions, Log } from '../log/port.ts';
import { createOtlpDecoder, timeBounds } from '../otlp/index.ts';
import { rollUpRebuilder } from '../replay/roll-up-rebuilder.ts';
import { defineModule, type ModuleDefinition } from '../runtime/module.ts';
import type { WorkGate } from '../runtime/work-gate.ts';
import { createRollUpJob } from './roll-up-job.ts';
import { createStoreUsageIdentities } from './store-usage-identities.ts';
import { createTableRecovery, startVerification, type Verification } from './table-recovery.ts';
import { createTelemetryConsumer, storeGroup, type TelemetryConsumer } from './telemetry-consumer.ts';
import { openUsageIdentities, type UsageIdentities } from './usage-identities.ts';

/** The consumer is busy for this long after a batch of so many records: the roll-up job then leaves the cores to it. */
const busyMs = 1000;
const busyRecords = 20_000;

/** What the consumer and the roll-ups of one process know of each other; in processes of their own, a roll-up gives way to nobody. */
interface Load {
  busyAt: number;
}

/** The consumer of the log and the jobs behind it. */
export function pipelineModules(): ModuleDefinition[] {
  const load: Load = { busyAt: Number.NEGATIVE_INFINITY };
  return [telemetryConsumerModule(load), rollUpsModule(load)];
}

/** Takes topic `telemetry` into the store. */
const telemetryConsumerModule = (load: Load): ModuleDefinition =>
  defineModule({
    name: 'telemetry-consumer',
    description: 'log to store: samples, histograms, spans, logs and usage events',
    requires: ['log', 'store', 'access'],
    config: z.strictObject({
      retentionDays: z.int().min(100).max(3650).default(400),
      maxBatchMiB: z.int().min(1).max(256).default(48),
      maxBatchRecords: z.int().min(1).max(100_000).default(2000),
      lingerMs: z.int().min(0).max(10_000).default(50),
      busyLingerMs: z.int().min(0).max(10_000).default(400),
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
      let identities: UsageIdentities | undefined;
      let consumer: TelemetryConsumer | undefined;
      let started = false;
      let verification: Verification | undefined;
      return {
        async start() {
          const { log, store, tenants, clock, logger } = services;
          const opened: UsageIdentities =
            log.isShared === true
              ? createStoreUsageIdentities(store)
              : openUsageIdentities(join(services.dataDir, 'usage-identities'));
          const settings = {
            tenants,
            createDecoder: () => createOtlpDecoder({ maxSeries: config.maxSeries }),
            bounds: timeBounds,
            retentionDays: config.retentionDays,
            clock,
            logger,
            maxBytes: config.maxBatchMiB * 1024 * 1024,
            maxRecords: config.maxBatchRecords,
            lingerMs: config.lingerMs,
            busyLingerMs: config.busyLingerMs,
          };
          const running = createTelemetryConsumer({
            ...settings,
            log: gatedLog(log, services.maintenance.gate),
            store,
            identities: opened,
            onBatch(report) {
              if (report.records >= busyRecords) load.busyAt = performance.now();
              batches.inc();
              records.inc(report.records);
              duplicates.inc(report.duplicates);
              deadLetters.inc(report.deadLetters);
              batchSeconds.observe(report.seconds);
            },
          });
          // Deciding again about an event that has been decided says the same; forgetting is left to the running consumer.
          services.maintenance.consumerInto = (other) =>
            createTelemetryConsumer({ ...settings, log, store: other, identities: { ...opened, prune: () => 0 } });
          identities = opened;
          consumer = running;
          // A server keeps its own files safe: this process does not even see them.
          const recovery =
            services.engine === null
              ? undefined
              : createTableRecovery({
                  store,
                  log,
                  logger,
                  clock,
                  consumer: running,
                  stateFile: join(services.dataDir, 'store', 'recovery.json'),
                  listFiles: (directory) => readdir(directory),
                });
          await recovery?.recover();
          await running.start();
          if (recovery !== undefined) verification = startVerification(recovery, config.verifySeconds * 1000, logger);
          started = true;
        },
        ready: () => (started ? { ready: true } : { ready: false, reason: 'the consumer has not started' }),
        async stop() {
          services.maintenance.consumerInto = null;
          await consumer?.stop();
          // What is on disk now need not be taken again after a power cut.
          await verification?.stop();
          verification = undefined;
          await identities?.close();
          started = false;
          identities = undefined;
        },
      };
    },
  });

/** Keeps the roll-ups abreast of the tables. */
const rollUpsModule = (load: Load): ModuleDefinition =>
  defineModule({
    name: 'roll-ups',
    description: 'jobs: roll-ups of the hours that batches touched',
    requires: ['log', 'store', 'control'],
    config: z.strictObject({ intervalMs: z.int().min(100).max(600_000).default(1000) }),
    create(config, services) {
      const registers = [services.metrics];
      const waiting = new Gauge({ name: 'pulse_roll_up_waiting_hours', help: 'Tenant hours to roll up', registers });
      const roundSeconds = new Histogram({
        name: 'pulse_roll_up_round_seconds',
        help: 'Time of one round of the roll-up job',
        buckets: [0.01, 0.1, 1, 5, 30],
        registers,
      });
      let leadership: Leadership | undefined;
      services.maintenance.rebuilders.push(rollUpRebuilder(services.logger));
      return {
        async start() {
          const { log, store, logger, leases } = services;
          leadership = leases.lead('roll-ups', (lease) => {
            const job = createRollUpJob({
              store: fencedStore(store, lease),
              log,
              logger,
              gate: services.maintenance.gate,
              lag: () => lagOf(log),
              intervalMs: config.intervalMs,
              isBusy: () => performance.now() - load.busyAt < busyMs,
              onRound(report) {
                waiting.set(report.waiting);
                roundSeconds.observe(report.seconds);
              },
            });
            job.start();
            return job;
          });
        },
        ready: () =>
          leadership ? jobsReadiness([leadership]) : { ready: false, reason: 'the roll-up job has not started' },
        async stop() {
          await leadership?.stop();
          leadership = undefined;
        },
      };
    },
  });

/** The log with consumers whose batches go through the gate. */
function gatedLog(log: Log, gate: WorkGate): Log {
  return new Proxy(log, {
    get(target, key) {
      if (key === 'consumer')
        return (options: ConsumerOptions) =>
          target.consumer({ ...options, handle: (batch) => gate.run(() => options.handle(batch)) });
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Records that the store has not taken yet. */
async function lagOf(log: Log): Promise<number> {
  const [offsets, committed] = await Promise.all([log.offsets('telemetry'), log.committed('telemetry', storeGroup)]);
  const next = new Map(committed.map((position) => [position.partition, position.next]));
  return offsets.reduce((lag, { partition, first, next: end }) => lag + end - (next.get(partition) ?? first), 0);
}
