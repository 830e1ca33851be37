import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { TenantDirectory } from '../access/port.ts';
import type { Consumer, Log, LogBatch, LogRecord } from '../log/port.ts';
import type { OtlpDecoder, SeriesEntry, TimeBounds } from '../otlp/port.ts';
import type { Clock } from '../runtime/clock.ts';
import { defineQuery } from './define-query.ts';
import {
  countLogDuplicates,
  countPointDuplicates,
  countSpanDuplicates,
  markSuspects,
  type PointKeys,
  TouchedHours,
} from './duplicate-finder.ts';
import { recallForgotten } from './forgotten-identities.ts';
import { hourOf } from './hour-ledger.ts';
import { scaledDecimal } from './native-block.ts';
import { GatherPool } from './point-gather.ts';
import type { Store } from './port.ts';
import { settleSeries } from './series-registry.ts';
import { type BatchDecoding, decodeBatch, type Received, type TelemetryBatch } from './telemetry-batch.ts';
import { toBlocks } from './telemetry-blocks.ts';
import { type ClaimVerdict, identityMs, type UsageIdentities } from './usage-identities.ts';

/** Consumer group of the store: its committed offset is how far the tables have taken the log. */
export const storeGroup = 'store';

const touchedToken = defineQuery({
  file: new URL('./sql/touched-token.sql', import.meta.url),
  params: z.object({ token: z.string() }),
  row: z.object({ written: z.number() }),
});

/** How many usage identities are forgotten a batch at least. */
const pruneLimit = 1000;

/** Points lie in typed columns; spans, log records and events are objects until they are written, which take several times the memory. */
const objectWeight = 3;

/** Memory that a record's rows take, in bytes of metrics. */
function weighRecord(record: LogRecord): number {
  const bytes = record.payloadBytes ?? record.payload.length;
  return record.headers['pulse']?.includes('"signal":"metrics"') ? bytes : bytes * objectWeight;
}

/** What a batch came to, for metrics. */
export interface BatchReport {
  readonly records: number;
  readonly duplicates: number;
  readonly deadLetters: number;
  readonly seconds: number;
}

export interface TelemetryConsumerOptions {
  readonly log: Log;
  readonly store: Store;
  readonly tenants: Pick<TenantDirectory, 'byNumber'>;
  readonly identities: UsageIdentities;
  readonly createDecoder: () => OtlpDecoder;
  readonly bounds: (receivedAtMs: number, retentionDays: number) => TimeBounds;
  /** Of records whose envelope names none. */
  readonly retentionDays: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxBytes?: number;
  readonly maxRecords?: number;
  readonly lingerMs?: number;
  readonly busyLingerMs?: number;
  readonly onBatch?: (report: BatchReport) => void;
}

/** A batch whose rows the tables have lost is taken again: under a token of its own, because the engine may remember the first one although the rows are gone. */
export interface Replay {
  readonly insertToken: string;
  /** The ledger's rows of the batch are lost too: its duplicates cannot be told from its own rows that survived, and are left to a balance. */
  readonly ledgerLost: boolean;
}

/** The consumer of topic `telemetry`, and its handler by itself. */
export interface TelemetryConsumer extends Consumer {
  handle(batch: LogBatch, replay?: Replay): Promise<void>;
}

/** What is kept between batches: series that are known, and hours that may hold rows. Right as long as nobody else takes the same partitions. */
interface Memory {
  readonly decoding: BatchDecoding;
  readonly touched: Readonly<Record<'metrics' | 'traces' | 'logs', TouchedHours>>;
}

function pointKeys(batch: TelemetryBatch): PointKeys[] {
  const rowKeys = (table: PointKeys['table'], rows: readonly Received<{ series: SeriesEntry; timeMs: number }>[]) => ({
    table,
    length: rows.length,
    series: rows.map((item) => item.row.series),
    timeMs: rows.map((item) => Math.floor(item.row.timeMs)),
  });
  return [
    {
      table: 'samples' as const,
      length: batch.points.length,
      series: batch.points.series,
      timeMs: batch.points.timeMs,
    },
    rowKeys('histograms', batch.histograms),
    rowKeys('exponential_histograms', batch.exponentialHistograms),
    rowKeys('summaries', batch.summaries),
  ].filter((points) => points.length > 0);
}

/**
 * Takes the log's telemetry into the tables.
 *
 * *Shape* of a batch: decode → settle series ids → decide usage identities → count duplicates → write `touched` → insert one block a table, all under the batch's token. A redelivered
 * batch whose `touched` rows stand goes on with the inserts: what was counted before the first insert stays counted.
 * *Errors* a failure of the engine is thrown, so the log redelivers the same range; a record that cannot be read becomes a dead letter.
 */
export function createTelemetryConsumer(options: TelemetryConsumerOptions): TelemetryConsumer {
  const { store, identities } = options;
  const gathers = new GatherPool();
  const { tenants, bounds, retentionDays } = options;
  const createMemory = (): Memory => ({
    decoding: { decoder: options.createDecoder(), tenants, bounds, retentionDays, gathers },
    touched: {
      metrics: new TouchedHours(store, 'metrics'),
      traces: new TouchedHours(store, 'traces'),
      logs: new TouchedHours(store, 'logs'),
    },
  });
  let memory = createMemory();
  let batches = 0;

  async function markAndCount(batch: TelemetryBatch, touched: Memory['touched'], resumed: boolean): Promise<void> {
    const { ledger } = batch;
    const number = batches++;
    for (const points of pointKeys(batch)) {
      const suspects = markSuspects(points, touched.metrics, number);
      if (!resumed) await countPointDuplicates({ store, ledger }, points, suspects);
    }
    if (resumed) return;
    await countSpanDuplicates({ store, ledger, touched: touched.traces }, batch.spans);
    await countLogDuplicates({ store, ledger, touched: touched.logs }, batch.logs);
  }

  function countEventDuplicates(batch: TelemetryBatch, verdicts: readonly ClaimVerdict[]): void {
    batch.events.forEach(({ tenant, event }, index) => {
      if (verdicts[index] === 'first') return;
      const entry = batch.ledger.at('events', tenant, hourOf(Date.parse(event.time)));
      entry.duplicates++;
      entry.duplicateSum += scaledDecimal(event.value, 12);
    });
  }

  /** One block a table, all at once. Every insert has ended before this does, also when one fails: the batch comes again, and its columns are used again. */
  async function insertBlocks(batch: TelemetryBatch, verdicts: readonly ClaimVerdict[], token: string): Promise<void> {
    const inserts = toBlocks(batch, verdicts).map((block) => store.insert(block, token));
    for (const outcome of await Promise.allSettled(inserts)) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async function handle(log: LogBatch, replay?: Replay): Promise<void> {
    const began = performance.now();
    // A batch that was given up at a rebalance goes on with what it began with.
    const { decoding, touched } = memory;
    const batch = await decodeBatch(log, decoding);
    try {
      await take(log, batch, touched, replay);
    } finally {
      gathers.give(batch.points);
    }
    const entries = batch.ledger.entries();
    options.onBatch?.({
      records: entries.reduce((sum, entry) => sum + entry.logged, 0),
      duplicates: entries.reduce((sum, entry) => sum + entry.duplicates, 0),
      deadLetters: batch.deadLetters.length,
      seconds: (performance.now() - began) / 1000,
    });
  }

  const isWritten = async (token: string) => (await store.query(touchedToken, { token })).length > 0;

  async function take(
    log: LogBatch,
    batch: TelemetryBatch,
    touched: Memory['touched'],
    replay: Replay | undefined,
  ): Promise<void> {
    // Killed between noting a token and naming the part, the engine knows the token and has not the rows: what comes again comes under a token of its own, and its identity keeps it single.
    const insertToken = replay?.insertToken ?? (log.redelivered ? `${log.token}.${randomUUID()}` : log.token);
    const at = Math.floor(log.records.at(-1)?.appendedAt ?? 0);
    const of = (rows: readonly { tenant: number }[]) => rows.map((row) => row.tenant);
    await touched.metrics.load(batch.ledger.entries().map((entry) => entry.tenant));
    await touched.traces.load(of(batch.spans));
    await touched.logs.load(of(batch.logs));
    for (const tenant of await settleSeries(store, batch.newSeries, { token: insertToken, at })) {
      touched.metrics.forget(tenant);
    }
    const claimed = await identities.claim(batch.events);
    const verdicts = await recallForgotten(store, batch.events, claimed, options.clock.now());
    let resumed = log.redelivered && (await isWritten(log.token));
    await markAndCount(batch, touched, resumed || replay?.ledgerLost === true);
    countEventDuplicates(batch, verdicts);
    const entries = batch.ledger.entries();
    if (!resumed && entries.length > 0 && replay === undefined) {
      // Counted too late, when somebody else has stored the range already, everything would be a duplicate: whoever has lost the partition writes nothing. What the last owner
      // wrote between our two looks stands; it is written before rows are.
      await log.confirm?.();
      if (log.redelivered) resumed = await isWritten(log.token);
    }
    if (!resumed && entries.length > 0) {
      const { token, last, partition } = log;
      await store.insert(batch.ledger.toBlock({ token, last, partition, at }), insertToken);
    }
    for (const { signal, tenant, hour } of entries) if (signal !== 'events') touched[signal].add(tenant, hour);
    await insertBlocks(batch, verdicts, insertToken);
    // Faster than identities come, so that those past their time never pile up. By the log's time: what waits in the log was received while they were known.
    await identities.prune(
      Math.min(options.clock.now(), at) - identityMs,
      Math.max(pruneLimit, 2 * batch.events.length),
    );
    for (const letter of batch.deadLetters) {
      const { topic, partition, offset } = letter.record;
      options.logger.warn({ code: letter.code, topic, partition, offset, tenant: letter.tenant }, 'dead letter');
    }
  }

  const consumer = options.log.consumer({
    topic: 'telemetry',
    group: storeGroup,
    maxRecords: options.maxRecords ?? 2000,
    maxBytes: options.maxBytes ?? 48 * 1024 * 1024,
    weigh: weighRecord,
    lingerMs: options.lingerMs ?? 50,
    busyLingerMs: options.busyLingerMs ?? 400,
    handle: (batch) => handle(batch),
    // Another process may have had these partitions: what it has stored is not in this memory.
    onAssigned() {
      memory = createMemory();
    },
    onError(error, batch) {
      options.logger.error({ error, token: batch?.token }, 'telemetry batch failed, it comes again');
    },
  });
  return { handle, start: () => consumer.start(), stop: () => consumer.stop(), lag: () => consumer.lag() };
}
