import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Signal } from '../contract/index.ts';
import type { Log, LogRecord } from '../log/port.ts';
import type { Clock } from '../runtime/clock.ts';
import { defineQuery, noParams } from './define-query.ts';
import { readLedger } from './ledger.ts';
import { gaps, hoursOf, type KnownBatch, lossOf, parseToken } from './lost-ranges.ts';
import { scaledDecimal } from './native-block.ts';
import type { Block, Store } from './port.ts';
import { bootIdentity, type RecoveryState, readRecoveryState, syncPath, writeRecoveryState } from './recovery-state.ts';
import { storeGroup, type TelemetryConsumer } from './telemetry-consumer.ts';

const sql = (name: string) => new URL(`./sql/${name}.sql`, import.meta.url);
const part = z.object({ table: z.string(), name: z.string(), partition: z.string(), path: z.string() });
const detachedParts = defineQuery({ file: sql('detached-parts'), params: noParams, row: part });
const activeParts = defineQuery({
  file: sql('active-parts'),
  params: noParams,
  row: part.extend({ modified: z.coerce.number() }),
});
const batchToken = z.object({ token: z.string() });
const touchedTokens = defineQuery({
  file: sql('touched-tokens'),
  params: z.object({ partition: z.int(), from: z.int() }),
  row: batchToken,
});
const touchedOfHours = defineQuery({ file: sql('touched-of-hours'), params: noParams, row: batchToken });
const touchedOfRange = defineQuery({
  file: sql('touched-of-range'),
  params: z.object({ signal: z.string(), fromHour: z.int(), toHour: z.int() }),
  row: batchToken,
});
const touchedOfTokens = defineQuery({
  file: sql('touched-of-tokens'),
  params: noParams,
  row: z.object({
    signal: Signal,
    tenant: z.number(),
    hour: z.number(),
    partition: z.number(),
    newest: z.coerce.number(),
  }),
});
const orphanHours = defineQuery({
  file: sql('orphan-hours'),
  params: noParams,
  row: z.object({ tenant: z.number(), hour: z.number() }),
});
/** The engine answers with one or the other column, by its settings. */
const checked = z.looseObject({ is_passed: z.coerce.number().optional(), result: z.coerce.number().optional() });

const limits = { timeoutSeconds: 300, maxMemoryBytes: 400 * 1024 * 1024 };
/** Records of a replayed range that no batch of the ledger covers. */
const gapRecords = 2000;
/** A part made this long before the last verification has been synced with it or by the kernel's own write-back. */
const doubtSeconds = 600;

/** What a recovery did. */
export interface RecoveryReport {
  /** Damaged parts that were found, as `table/part`. */
  readonly damagedParts: readonly string[];
  /** The operating system has been started anew since the last writer: what was not synced may be gone. */
  readonly rebooted: boolean;
  readonly replayedBatches: number;
  readonly replayedRecords: number;
  /** Batches that the tables lack and the log no longer has. */
  readonly goneBatches: number;
  readonly seconds: number;
}

export interface TableRecoveryOptions {
  readonly store: Store;
  readonly log: Pick<Log, 'epoch' | 'read' | 'offsets' | 'committed'>;
  readonly consumer: Pick<TelemetryConsumer, 'handle'>;
  readonly stateFile: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Names the run of the operating system; a test passes its own. */
  readonly boot?: () => Promise<string>;
  /** Makes a file or a directory durable; a test passes its own. */
  readonly sync?: (path: string) => Promise<void>;
  readonly listFiles: (directory: string) => Promise<readonly string[]>;
}

/** Keeps the tables equal to the log over power cuts and damaged files: the log is the durable copy, the tables follow from it. */
export interface TableRecovery {
  /** Before the consumer starts: finds what the tables have lost and takes it from the log again. */
  recover(): Promise<RecoveryReport>;
  /** Syncs the files of all parts and remembers up to which offset the tables hold them. False when parts kept changing meanwhile. */
  verify(): Promise<boolean>;
}

type DamagedPart = z.infer<typeof part>;
type Hour = { readonly signal: Signal; readonly tenant: number; readonly hour: number };

export function createTableRecovery(options: TableRecoveryOptions): TableRecovery {
  const { store, log, logger, clock, stateFile } = options;
  const sync = options.sync ?? syncPath;
  let state: RecoveryState | null = null;
  let synced = new Set<string>();

  const keysOf = (hours: readonly Hour[]): Block => ({
    table: 'keys',
    rows: hours.length,
    columns: [
      { name: 'signal', type: 'String', values: hours.map(({ signal }) => signal) },
      { name: 'tenant', type: 'UInt32', values: hours.map(({ tenant }) => tenant) },
      { name: 'hour', type: 'UInt32', values: hours.map(({ hour }) => hour) },
    ],
  });

  async function damaged(known: RecoveryState | null, rebooted: boolean) {
    const unreadable = rebooted && known !== null ? await detachUnreadable(known.verifiedAt / 1000 - doubtSeconds) : [];
    const handled = new Set(known?.handled ?? []);
    const found = (await store.query(detachedParts, {}, limits)).filter(({ path }) => !handled.has(path));
    return [...found, ...unreadable];
  }

  /** A part of which the power cut left only some pages loads and fails when it is read: read it now. */
  async function detachUnreadable(since: number): Promise<DamagedPart[]> {
    const unreadable: DamagedPart[] = [];
    for (const { table, name, partition, path, modified } of await store.query(activeParts, {}, limits)) {
      if (modified < since) continue;
      const check = {
        name: 'check-part',
        sql: `CHECK TABLE \`${table}\` PART '${name}'`,
        params: noParams,
        row: checked,
      };
      const passed = await store.query(check, {}, limits).then(
        ([row]) => (row?.is_passed ?? row?.result) === 1,
        () => false,
      );
      if (passed) continue;
      await store.execute(`ALTER TABLE \`${table}\` DETACH PART '${name}'`);
      logger.error({ table, part: name }, 'store: a part cannot be read and was set aside');
      unreadable.push({ table, name, partition, path });
    }
    return unreadable;
  }

  /** Batches that the damaged parts of one table partition held, as far as the ledger tells. */
  async function batchesOf(table: string, partition: string): Promise<{ batches: string[]; wholeLog: boolean }> {
    const loss = lossOf(table);
    const range = hoursOf(partition);
    const tokens = async (hours: readonly Hour[]) =>
      hours.length === 0
        ? []
        : (await store.query(touchedOfHours, {}, { ...limits, keys: keysOf(hours) })).map(({ token }) => token);
    if (loss.kind === 'counted') {
      const rows = await readLedger(store, range);
      const short = rows.filter(
        (row) => row.signal === loss.signal && (row.logged - row.duplicates !== row.stored || !sumsMatch(row)),
      );
      return { batches: await tokens(short), wholeLog: false };
    }
    if (loss.kind === 'uncounted') {
      const rows = await store.query(touchedOfRange, { signal: loss.signal, ...range }, limits);
      return { batches: rows.map(({ token }) => token), wholeLog: false };
    }
    if (loss.kind === 'series') {
      const hours = await store.query(orphanHours, {}, limits);
      return { batches: await tokens(hours.map((hour) => ({ signal: 'metrics' as const, ...hour }))), wholeLog: false };
    }
    if (loss.kind === 'computed') await takeBackMarks(loss.marks, range);
    if (loss.kind === 'unknown')
      logger.error({ table, partition }, 'store: lost rows of this table do not follow from the log');
    return { batches: [], wholeLog: loss.kind === 'ledger' || loss.kind === 'letters' };
  }

  async function takeBackMarks(tables: readonly string[], range: { fromHour: number; toHour: number }): Promise<void> {
    for (const table of tables) {
      const where =
        table === 'sla_positions'
          ? '1'
          : `bucket >= toDateTime(${range.fromHour}, 'UTC') AND bucket < toDateTime(${range.toHour}, 'UTC')`;
      await store.execute(`ALTER TABLE ${table} DELETE WHERE ${where} SETTINGS mutations_sync = 1`);
    }
  }

  /** After a power cut work marked as done may be lost with its mark standing: whatever was marked since the last verification is done again. */
  async function takeBackUnverified(partition: number, next: number): Promise<void> {
    const tenants = `tenant IN (SELECT tenant FROM touched WHERE \`partition\` = ${partition})`;
    for (const where of [
      `rolled DELETE WHERE version + 1 >= ${next} AND ${tenants}`,
      `metered DELETE WHERE next >= ${next} AND ${tenants}`,
      `sla_read DELETE WHERE next >= ${next} AND ${tenants}`,
      `sla_positions DELETE WHERE next >= ${next} AND \`partition\` = ${partition}`,
    ])
      await store.execute(`ALTER TABLE ${where} SETTINGS mutations_sync = 1`);
  }

  async function recordsOf(partition: number, first: number, last: number): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    for await (const record of log.read('telemetry', partition, first, last + 1)) records.push(record);
    return records;
  }

  /** Takes ranges from the log again, in their order. */
  async function replay(batches: readonly KnownBatch[], lost: ReadonlySet<string>) {
    const run = randomUUID();
    const firstKept = new Map((await log.offsets('telemetry')).map(({ partition, first }) => [partition, first]));
    const done = { batches: 0, records: 0, gone: 0 };
    for (const batch of batches.toSorted((a, b) => a.partition - b.partition || a.first - b.first)) {
      const { partition, first, last, token } = batch;
      if (batch.epoch !== log.epoch() || first < (firstKept.get(partition) ?? 0)) {
        done.gone += 1;
        continue;
      }
      const records = await recordsOf(partition, first, last);
      await options.consumer.handle(
        { topic: 'telemetry', partition, epoch: batch.epoch, first, last, token, redelivered: true, records },
        { insertToken: `${token}.${run}`, ledgerLost: lost.has(token) },
      );
      done.batches += 1;
      done.records += records.length;
    }
    return done;
  }

  /**
   * Writes the duplicates of batches whose ledger rows were lost: what they logged beyond what is stored.
   *
   * *Bias* in these hours a row that is missing for another reason would pass for a duplicate; their batches have all just been taken again.
   */
  async function balance(tokens: readonly string[]): Promise<void> {
    if (tokens.length === 0) return;
    const keys = { table: 'keys', rows: tokens.length, columns: [{ name: 'token', type: 'String', values: tokens }] };
    const hours = await store.query(touchedOfTokens, {}, { ...limits, keys });
    for (const { signal, tenant, hour, partition, newest } of hours) {
      if (signal === 'events') continue;
      const [row] = (await readLedger(store, { tenant, fromHour: hour, toHour: hour + 3600 })).filter(
        (entry) => entry.signal === signal,
      );
      const excess = row === undefined ? 0 : row.logged - row.duplicates - row.stored;
      if (excess <= 0) continue;
      const token = `recovered-${randomUUID()}`;
      await store.execute(
        `INSERT INTO touched (token, signal, tenant, bucket, duplicates, seq, \`partition\`, at)
         SELECT {token:String}, {signal:String}, {tenant:UInt32}, toDateTime({hour:UInt32}, 'UTC'), {excess:UInt64}, {seq:UInt64}, {partition:UInt16}, fromUnixTimestamp64Milli({at:Int64})`,
        { token, signal, tenant, hour, excess, seq: newest, partition, at: clock.now() },
      );
      logger.warn({ signal, tenant, hour, duplicates: excess }, 'store: lost ledger rows balanced');
    }
  }

  async function recover(): Promise<RecoveryReport> {
    const began = performance.now();
    const known = await readRecoveryState(stateFile);
    const boot = await (options.boot ?? bootIdentity)();
    const rebooted = known !== null && known.boot !== boot;
    const detached = await damaged(known, rebooted);
    const wanted = new Map<string, KnownBatch>();
    const lost = new Set<string>();
    const want = (tokens: readonly string[]) => {
      for (const token of tokens) {
        const batch = parseToken(token);
        if (batch !== null) wanted.set(token, batch);
      }
    };
    const ranges = new Map<number, number>();
    for (const name of new Set(detached.map(({ table, partition }) => `${table}/${partition}`))) {
      const [table = '', partition = ''] = name.split('/');
      const { batches, wholeLog } = await batchesOf(table, partition);
      want(batches);
      if (wholeLog)
        for (const { partition: number, first } of await log.offsets('telemetry')) ranges.set(number, first);
    }
    if (rebooted)
      for (const { partition, next } of known.verified) {
        ranges.set(partition, Math.min(ranges.get(partition) ?? next, next));
        await takeBackUnverified(partition, next);
      }
    for (const { partition, next } of await log.committed('telemetry', storeGroup)) {
      const from = ranges.get(partition);
      if (from === undefined) continue;
      const rows = await store.query(touchedTokens, { partition, from }, limits);
      const batches = rows.flatMap(({ token }) => parseToken(token) ?? []);
      want(batches.map(({ token }) => token));
      for (const [first, last] of gaps(batches, from, next, gapRecords)) {
        const token = `${log.epoch()}-telemetry-${partition}-${first}-${last}`;
        lost.add(token);
        want([token]);
      }
    }
    if (detached.length > 0 || rebooted)
      logger.warn(
        { damaged: detached.map(nameOf), rebooted, batches: wanted.size },
        'store: taking lost rows from the log again',
      );
    const done = await replay([...wanted.values()], lost);
    await balance([...lost]);
    if (done.gone > 0)
      logger.error({ batches: done.gone }, 'store: lost rows are older than the log: their hours stay out of balance');
    state = {
      boot,
      verified:
        known?.verified ?? (await log.offsets('telemetry')).map(({ partition, first }) => ({ partition, next: first })),
      verifiedAt: known?.verifiedAt ?? clock.now(),
      handled: [...(known?.handled ?? []), ...detached.map(({ path }) => path)],
    };
    await writeRecoveryState(stateFile, state);
    return {
      damagedParts: detached.map(nameOf),
      rebooted,
      replayedBatches: done.batches,
      replayedRecords: done.records,
      goneBatches: done.gone,
      seconds: (performance.now() - began) / 1000,
    };
  }

  async function verify(): Promise<boolean> {
    if (state === null) return false;
    const verifiedAt = clock.now();
    const verified = await log.committed('telemetry', storeGroup);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const parts = await store.query(activeParts, {}, limits);
      try {
        for (const { path } of parts) if (!synced.has(path)) await syncPart(path);
      } catch (error) {
        // Merged away meanwhile: its rows are in a part that has to be synced too.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        throw error;
      }
      synced = new Set(parts.map(({ path }) => path));
      state = { ...state, verified, verifiedAt };
      await writeRecoveryState(stateFile, state);
      return true;
    }
    return false;
  }

  async function syncPart(path: string): Promise<void> {
    const folder = path.replace(/\/$/, '');
    for (const file of await options.listFiles(folder)) await sync(`${folder}/${file}`);
    await sync(folder);
    await sync(folder.slice(0, folder.lastIndexOf('/')));
    synced.add(path);
  }

  return { recover, verify };
}

const nameOf = ({ table, name }: { table: string; name: string }) => `${table}/${name}`;

/** Sums of usage events agree too: a row of the same count and another value would pass otherwise. */
function sumsMatch(row: { loggedSum: string; duplicateSum: string; storedSum: string; signal: Signal }): boolean {
  if (row.signal !== 'events') return true;
  const scaled = (text: string) => scaledDecimal(text, 12);
  return scaled(row.loggedSum) - scaled(row.duplicateSum) === scaled(row.storedSum);
}

/** Verifies at intervals, and once more when it stops. */
export interface Verification {
  stop(): Promise<void>;
}

/** Starts to verify every `intervalMs`. A failure leaves the last verification standing: a power cut then takes more from the log again. */
export function startVerification(recovery: TableRecovery, intervalMs: number, logger: Logger): Verification {
  let running = Promise.resolve();
  const verify = () => {
    running = running
      .then(() => recovery.verify())
      .then(
        () => undefined,
        (error: unknown) => logger.error({ err: error }, 'store: tables could not be verified'),
      );
    return running;
  };
  const timer = setInterval(verify, intervalMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      return verify();
    },
  };
}
