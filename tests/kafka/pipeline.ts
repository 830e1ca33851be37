import { join } from 'node:path';
import { pino } from 'pino';
import { type ConsumerOptions, createKafkaLog, createSpooledLog, type KafkaLog, type Log } from 'streams/log';
import { createOtlpDecoder, timeBounds } from 'streams/otlp';
import { systemClock } from 'streams/runtime';
import {
  createChdbStore,
  createRollUpJob,
  createStoreUsageIdentities,
  createTelemetryConsumer,
  readLedger,
  type Store,
  type TelemetryConsumer,
} from 'streams/store';
import { toLogMessage } from '../fault/log-message.ts';
import { judge, readTotals, sentTotals } from '../fault/oracle.ts';
import { buildRequest, type Request } from '../fault/sender.ts';
import { until } from '../pulse-process.ts';

const silent = pino({ level: 'silent' });
const tenants = Array.from({ length: 12 }, (_, index) => `isp-${index + 1}`);
const tenantNames: ReadonlyMap<number, string> = new Map(tenants.map((name, index) => [index + 1, name]));
const requestsPerHours = 24;
/** Further back than the requests of a run reach. */
const ledgerSeconds = 100 * 86_400;

/** Request `id`: of one of twelve tenants, with hours of its own every few requests, so that later ones mend nothing. */
export function kafkaRequest(id: number, baseMs: number): Request {
  return buildRequest(
    id,
    tenants[id % tenants.length] ?? '',
    baseMs - Math.floor(id / requestsPerHours) * 2 * 3_600_000,
  );
}

export const baseOfRun = () => Math.floor((Date.now() - 6 * 3_600_000) / 3_600_000) * 3_600_000;

/** One consumer of the group, with a log client of its own: what a process would be. */
export interface Member {
  readonly log: KafkaLog;
  readonly consumer: TelemetryConsumer;
  stop(): Promise<void>;
}

export interface MemberOptions {
  readonly wrapLog?: (log: KafkaLog) => Log;
  readonly wrapStore?: (store: Store) => Store;
  readonly maxRecords?: number;
  readonly sessionMs?: number;
  readonly rebalanceMs?: number;
  readonly onError?: (error: unknown) => void;
}

/** Tables in this process, a log on a real broker, and as many members of the store's group as a check asks for. */
export interface KafkaPipeline {
  readonly store: Store;
  /** The log of whoever appends. */
  readonly log: KafkaLog;
  append(requests: readonly Request[]): Promise<void>;
  join(options?: MemberOptions): Promise<Member>;
  /** Waits until the group has taken the whole log, then rolls it up. */
  settle(seconds?: number): Promise<void>;
  /** Differences between what was sent and what is stored, and hours that do not add up. */
  differences(sent: Iterable<Request>): Promise<string[]>;
  stop(): Promise<void>;
}

export interface KafkaPipelineOptions {
  readonly dir: string;
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly partitions?: number;
  /** Appends go to a spool while the brokers are away. */
  readonly spool?: boolean;
}

const opened = new Set<KafkaPipeline>();

/** Ends what a check that broke has left open: there can be one engine a process. */
export async function stopPipelines(): Promise<void> {
  for (const pipeline of opened) await pipeline.stop();
}

export async function openKafkaPipeline(options: KafkaPipelineOptions): Promise<KafkaPipeline> {
  const { dir, brokers, prefix, partitions = 6 } = options;
  const store = createChdbStore({ dir: join(dir, 'store'), logger: silent, clock: systemClock, memoryBytes: 500e6 });
  await store.start();
  const openLog = (limits: { sessionMs?: number; rebalanceMs?: number } = {}) =>
    createKafkaLog({
      connection: { brokers },
      clock: systemClock,
      prefix,
      partitions,
      sessionMs: limits.sessionMs ?? 1500,
      rebalanceMs: limits.rebalanceMs ?? 10_000,
      backoff: (attempt) => Math.min(1000, 50 * 2 ** attempt),
    });
  const log = openLog();
  const spooled =
    options.spool === true
      ? createSpooledLog({
          remote: log,
          dir: join(dir, 'spool'),
          bytesMax: 256 * 1024 * 1024,
          clock: systemClock,
          logger: silent,
          probeMs: 200,
        })
      : log;
  await spooled.start();
  const identities = createStoreUsageIdentities(store);
  const members = new Set<Member>();

  async function join_(limits: MemberOptions = {}): Promise<Member> {
    const own = openLog(limits);
    await own.start();
    const watched = watch(limits.wrapLog?.(own) ?? own, limits.onError);
    const consumer = createTelemetryConsumer({
      log: watched,
      store: limits.wrapStore?.(store) ?? store,
      tenants: { byNumber: () => undefined },
      identities,
      createDecoder: () => createOtlpDecoder(),
      bounds: (at) => timeBounds(at),
      retentionDays: 400,
      clock: systemClock,
      logger: silent,
      lingerMs: 0,
      maxRecords: limits.maxRecords ?? 20,
    });
    await consumer.start();
    const member: Member = {
      log: own,
      consumer,
      async stop() {
        members.delete(member);
        await consumer.stop();
        await own.stop();
      },
    };
    members.add(member);
    return member;
  }

  const lag = async () => {
    const committed = await log.committed('telemetry', 'store');
    const ends = await log.offsets('telemetry');
    return ends.reduce((sum, { partition, next }) => sum + next - (committed[partition]?.next ?? 0), 0);
  };
  const pipeline: KafkaPipeline = {
    store,
    log,
    async append(requests) {
      const now = Date.now();
      await spooled.append(
        'telemetry',
        requests.map((request) => toLogMessage(request, tenants.indexOf(request.tenant) + 1, now)),
      );
    },
    join: join_,
    async settle(seconds = 60) {
      const waiting = async () => ('spool' in spooled && spooled.spool().spooling ? 1 : 0) + (await lag());
      await until(
        () => waiting().catch(() => Number.POSITIVE_INFINITY),
        (records) => records === 0,
        seconds,
      );
      const job = createRollUpJob({ store, log, logger: silent, lag });
      while ((await job.runOnce()) > 0);
      await job.stop();
    },
    async differences(sent) {
      const { differences } = await judge(sentTotals(sent), () => readTotals(store, tenantNames));
      const hour = Math.floor(Date.now() / 3_600_000) * 3600;
      const rows = await readLedger(store, { fromHour: hour - ledgerSeconds, toHour: hour + 3600 });
      const unbalanced = rows
        .filter(({ logged, duplicates, stored }) => logged - duplicates !== stored)
        .map(
          ({ tenant, signal, hour, logged, duplicates, stored }) =>
            `ledger ${tenant} ${signal} ${hour}: logged ${logged}, duplicates ${duplicates}, stored ${stored}`,
        );
      return [...differences, ...unbalanced];
    },
    async stop() {
      opened.delete(pipeline);
      await Promise.all([...members].map((member) => member.stop()));
      await spooled.stop();
      await store.stop();
    },
  };
  opened.add(pipeline);
  return pipeline;
}

function watch(log: Log, onError: ((error: unknown) => void) | undefined): Log {
  if (onError === undefined) return log;
  const consumer = (options: ConsumerOptions) =>
    log.consumer({
      ...options,
      onError(error, batch) {
        onError(error);
        options.onError(error, batch);
      },
    });
  return wrapLog(log, { consumer });
}

/** A log with some of its methods in other hands. */
export function wrapLog<T extends Log>(log: T, other: Partial<Log>): T {
  return new Proxy(log, {
    get(target, key) {
      const replaced: unknown = Reflect.get(other, key);
      if (replaced !== undefined) return replaced;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
