import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { createEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from 'streams/log';
import { createOtlpDecoder, type OtlpDecoder, timeBounds } from 'streams/otlp';
import { type Maintenance, rollUpRebuilder } from 'streams/replay';
import { createWorkGate, systemClock } from 'streams/runtime';
import {
  createChdbStore,
  createRollUpJob,
  createTableRecovery,
  createTelemetryConsumer,
  openUsageIdentities,
  type RecoveryReport,
  type RollUpJob,
  type Store,
  type TableRecovery,
  type TelemetryConsumer,
} from 'streams/store';
import { copyEmptyStore } from 'streams/store/test-store';
import { until } from '../pulse-process.ts';
import { toLogMessage } from './log-message.ts';
import { buildRequest, type Request } from './sender.ts';

/** Numbers of the senders' tenants in the engine. */
export const tenantNumbers: ReadonlyMap<string, number> = new Map([
  ['isp-a', 1],
  ['isp-b', 2],
  ['isp-c', 3],
]);
export const tenantNames: ReadonlyMap<number, string> = new Map([...tenantNumbers].map(([name, id]) => [id, name]));

export const requestsPerRound = 8;

/** Request `id` of a sender that has new hours every few requests: hours that are touched again and again would mend by themselves what a fault left wrong in them. */
export function roundRequest(id: number, baseMs: number): Request {
  const tenants = [...tenantNumbers.keys()];
  return buildRequest(
    id,
    tenants[id % tenants.length] ?? '',
    baseMs - Math.floor(id / requestsPerRound) * 2 * 3_600_000,
  );
}

/** Log, tables, consumer and roll-up job in this process, without the door: what lies behind an acknowledgment. */
export interface Pipeline {
  readonly log: EmbeddedLog;
  readonly store: Store;
  readonly consumer: TelemetryConsumer;
  readonly job: RollUpJob;
  readonly recovery: TableRecovery;
  /** What was found and mended when it opened. */
  readonly recovered: RecoveryReport;
  append(requests: readonly Request[]): Promise<void>;
  /** What replay and backup need of a process. */
  readonly maintenance: Maintenance;
  /** Takes the whole log into the tables and rolls it up. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export interface PipelineOptions {
  readonly dir: string;
  readonly logger?: Logger;
  readonly maxRecords?: number;
  readonly wrapStore?: (store: Store) => Store;
  readonly wrapLog?: (log: EmbeddedLog) => EmbeddedLog;
  readonly logOptions?: Partial<EmbeddedLogOptions>;
  readonly createDecoder?: () => OtlpDecoder;
  /** Names the run of the operating system; another name than before is a power cut. */
  readonly boot?: string;
  /** Told of every file that was synced on behalf of the tables. */
  readonly onSync?: (path: string) => void;
}

export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { dir } = options;
  const logger = options.logger ?? pino({ level: 'silent' });
  if (!existsSync(join(dir, 'store'))) await copyEmptyStore(join(dir, 'store'));
  const real = createChdbStore({ dir: join(dir, 'store'), logger, clock: systemClock, memoryBytes: 500e6 });
  await real.start();
  const store = options.wrapStore?.(real) ?? real;
  const embedded = createEmbeddedLog({ dir: join(dir, 'log'), clock: systemClock, ...options.logOptions });
  await embedded.start();
  const log = options.wrapLog?.(embedded) ?? embedded;
  const identities = openUsageIdentities(join(dir, 'usage-identities'));
  const settings = {
    log,
    tenants: { byNumber: () => undefined },
    identities,
    createDecoder: options.createDecoder ?? (() => createOtlpDecoder()),
    bounds: (at: number) => timeBounds(at),
    retentionDays: 400,
    clock: systemClock,
    logger,
    lingerMs: 0,
    maxRecords: options.maxRecords ?? 20,
  };
  const consumer = createTelemetryConsumer({ ...settings, store });
  const maintenance: Maintenance = {
    gate: createWorkGate(),
    rebuilders: [rollUpRebuilder(logger)],
    consumerInto: (other) => createTelemetryConsumer({ ...settings, store: other }),
  };
  const { boot, onSync } = options;
  const recovery = createTableRecovery({
    store,
    log,
    consumer,
    logger,
    clock: systemClock,
    stateFile: join(dir, 'store', 'recovery.json'),
    listFiles: (directory) => readdir(directory),
    ...(boot === undefined ? {} : { boot: async () => boot }),
    ...(onSync === undefined ? {} : { sync: async (path: string) => onSync(path) }),
  });
  const recovered = await recovery.recover();
  const job = createRollUpJob({ store, log, logger, lag: () => consumer.lag() });
  return {
    log,
    store,
    consumer,
    job,
    recovery,
    recovered,
    maintenance,
    async append(requests) {
      const now = Date.now();
      await log.append(
        'telemetry',
        requests.map((request) => toLogMessage(request, tenantNumbers.get(request.tenant) ?? 0, now)),
      );
    },
    async drain() {
      await consumer.start();
      await until(
        () => consumer.lag(),
        (lag) => lag === 0,
        60,
      );
      while ((await job.runOnce()) > 0);
      await consumer.stop();
    },
    async stop() {
      await job.stop();
      await consumer.stop();
      await identities.close();
      await embedded.stop();
      await real.stop();
    },
  };
}
