import type { Logger } from 'pino';
import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import type { Log, LogRecord } from '../log/port.ts';
import { noParams } from '../store/define-query.ts';
import { type KnownBatch, parseToken } from '../store/lost-ranges.ts';
import type { DatabaseStore, Query, QueryOptions, Store } from '../store/port.ts';
import { storeGroup, type TelemetryConsumer } from '../store/telemetry-consumer.ts';
import {
  adHoc,
  compareTable,
  countDifferences,
  insertColumns,
  readColumns,
  type TableColumns,
  type TableDay,
  type TableDifference,
} from './comparison.ts';
import { batchesUpTo, goneBatches, stagesOf, widened } from './plan.ts';
import type { Maintenance, Position, ReplayScope, ReplayTable } from './port.ts';
import { refuseMoving, settled } from './standstill.ts';
import { type SwapPlace, swapTable } from './swap.ts';
import { contextOf, storedTables, withinHours } from './tables.ts';

export type ReplayPhase = 'planning' | 'taking' | 'comparing' | 'swapping' | 'done';

export interface ReplayProgress {
  readonly phase: ReplayPhase;
  readonly batches: number;
  readonly batchesDone: number;
  readonly records: number;
}

/** Figures as known at one cut-off, live and rebuilt. */
export interface KnownAtResult {
  readonly knownAt: readonly Position[];
  readonly days: readonly TableDay[];
}

/** What a replay found and did. */
export interface ReplayReport {
  /** What was rebuilt: the asked range, and an hour on either side as far as the log holds it. */
  readonly scope: ReplayScope;
  readonly days: readonly TableDay[];
  readonly differences: readonly TableDifference[];
  readonly knownAts: readonly KnownAtResult[];
  /** Series whose description the live table lacked. */
  readonly missingSeries: number;
  /** Replaced in the live tables, as `table/partition`; tables without partitions by their name. */
  readonly swapped: readonly string[];
  readonly batches: number;
  readonly records: number;
  /** Every record below was read. */
  readonly positions: readonly Position[];
  readonly isIdentical: boolean;
  /** How long the consumer and the jobs stood still. */
  readonly heldSeconds: number;
  readonly seconds: number;
}

export interface ReplayRequest {
  readonly scope: ReplayScope;
  readonly into: 'shadow' | 'live';
  /** Further cut-offs to compare at, beside those that the rebuilders name. */
  readonly knownAts: readonly (readonly Position[])[];
  /** Name of the database that holds the rebuilt rows; removed at the end. */
  readonly shadowName: string;
}

export interface ReplayDeps {
  readonly store: Store;
  readonly log: Pick<Log, 'epoch' | 'read' | 'offsets' | 'committed'>;
  readonly maintenance: Maintenance;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  onProgress?(progress: ReplayProgress): void;
  /** Called with the rebuilt tables before they are removed; for whoever wants to read them. */
  inspect?(shadow: Store, report: ReplayReport): Promise<void>;
}

const readLimits = { timeoutSeconds: 300, maxMemoryBytes: 400 * 1024 * 1024 };
const gateTimeoutMs = 120_000;
const token = z.object({ token: z.string() });
const newest = z.object({ partition: z.number(), next: z.coerce.number() });

/** Looks up forgotten identities where they may stand: in the live tables and in the rebuilt ones. */
function recalling(shadow: Store, live: Store): Store {
  return {
    ...shadow,
    async query<P, R>(query: Query<P, R>, params: P, options?: QueryOptions): Promise<R[]> {
      const rows = await shadow.query(query, params, options);
      return query.name === 'standing-events' ? [...rows, ...(await live.query(query, params, options))] : rows;
    },
  };
}

/** Runs one replay. *Errors* `replay.log_gone`, `replay.cancelled`, `replay.not_here`, `replay.moving`, `maintenance.busy`, and those of log and store. */
export async function runReplay(deps: ReplayDeps, request: ReplayRequest): Promise<ReplayReport> {
  const began = performance.now();
  const { store, log, maintenance } = deps;
  const { shadowName } = request;
  if (maintenance.consumerInto === null)
    throw new AppError(
      'replay.not_here',
      'this process does not take the log into the tables: ask one with target streams',
      {
        status: 409,
      },
    );
  const tables: readonly ReplayTable[] = [...storedTables, ...maintenance.rebuilders.flatMap((one) => one.tables)];
  const progress = { phase: 'planning' as ReplayPhase, batches: 0, batchesDone: 0, records: 0 };
  const tell = (phase: ReplayPhase) => {
    progress.phase = phase;
    deps.onProgress?.({ ...progress });
  };
  const check = () => {
    if (deps.signal?.aborted === true)
      throw new AppError('replay.cancelled', 'the replay was cancelled; the live tables are as they were', {
        status: 409,
      });
  };
  const shadow = store.inDatabase(shadowName);
  const taken = new Set<string>();
  tell('planning');
  const columns = await readColumns(store);
  const place: SwapPlace = { live: store, shadow, shadowName, columns };
  const start = await log.committed('telemetry', storeGroup);
  const scope = await rebuildableScope(deps, request.scope);
  await shadow.dropDatabase();
  await shadow.start();
  try {
    const consumer = maintenance.consumerInto(recalling(shadow, store));
    await seedSeries(place, scope);

    let isFilled = false;
    const take = async (positions: readonly Position[]) => {
      const wanted = batchesUpTo(await batchesOf(store, scope), taken, positions);
      // Nothing new: what stands in the shadow is up to these positions too.
      if (wanted.length === 0 && isFilled) return;
      isFilled = true;
      progress.batches = taken.size + wanted.length;
      for (const batch of wanted) {
        check();
        progress.records += await takeBatch(log, consumer, batch);
        taken.add(batch.token);
        progress.batchesDone = taken.size;
        tell('taking');
      }
      await onlyScope(shadow, scope);
      await copyContext(place, tables, scope);
      for (const rebuilder of maintenance.rebuilders) {
        check();
        await rebuilder.rebuild(shadow, positions);
      }
    };

    const cutOffs = await Promise.all(maintenance.rebuilders.map(async (one) => (await one.cutOffs?.(scope)) ?? []));
    const knownAts: KnownAtResult[] = [];
    for (const knownAt of stagesOf([...cutOffs.flat(), ...request.knownAts], start)) {
      await take(knownAt);
      const days = await daysOf(
        place,
        tables.filter((table) => table.knownRows !== undefined),
        scope,
        knownAt,
      );
      knownAts.push({ knownAt, days });
    }
    await take(start);

    check();
    const open = await maintenance.gate.close(gateTimeoutMs);
    const heldFrom = performance.now();
    let report: Omit<ReplayReport, 'heldSeconds' | 'seconds'>;
    try {
      tell('comparing');
      const positions = await settled(deps);
      await take(positions);
      for (const rebuilder of maintenance.rebuilders) await rebuilder.rebuild(store, positions);
      report = await compareAll(place, scope, { tables, positions, knownAts, progress, taken });
      await refuseMoving(deps, positions);
      if (request.into === 'live' && !report.isIdentical) {
        check();
        tell('swapping');
        report = { ...report, swapped: await swapAll(place, tables, scope, report) };
        for (const rebuilder of maintenance.rebuilders) await rebuilder.afterSwap?.(store, scope, positions);
      }
    } finally {
      open();
    }
    const heldSeconds = (performance.now() - heldFrom) / 1000;
    const result = { ...report, heldSeconds, seconds: (performance.now() - began) / 1000 };
    await deps.inspect?.(shadow, result);
    tell('done');
    return result;
  } finally {
    await shadow.dropDatabase();
  }
}

/** The batches that handed over records of the scope, as the ledger names them. */
async function batchesOf(store: Store, scope: ReplayScope): Promise<KnownBatch[]> {
  const sql = `SELECT DISTINCT token FROM touched WHERE ${withinHours({ time: 'bucket' }, scope)}`;
  const rows = await store.query(adHoc('replay-batches', sql, token), {}, readLimits);
  return rows.flatMap((row) => parseToken(row.token) ?? []);
}

/** The asked range with its edges; without them where the log no longer holds an edge. *Errors* `replay.log_gone` when it does not hold the range itself. */
async function rebuildableScope(deps: ReplayDeps, asked: ReplayScope): Promise<ReplayScope> {
  const { store, log } = deps;
  await refuseGone(deps, asked, await batchesOf(store, asked));
  const offsets = await log.offsets('telemetry');
  const wide = widened(asked);
  const isHeld = async (scope: ReplayScope) =>
    goneBatches(await batchesOf(store, scope), log.epoch(), offsets).length === 0;
  return {
    ...asked,
    fromHour: (await isHeld({ ...wide, toHour: asked.toHour })) ? wide.fromHour : asked.fromHour,
    toHour: (await isHeld({ ...wide, fromHour: asked.fromHour })) ? wide.toHour : asked.toHour,
  };
}

/** What the log no longer holds cannot be rebuilt: said before anything is done, with the first hour from which on it can. */
async function refuseGone(deps: ReplayDeps, scope: ReplayScope, batches: readonly KnownBatch[]): Promise<void> {
  const { store, log } = deps;
  const gone = goneBatches(batches, log.epoch(), await log.offsets('telemetry'));
  if (gone.length === 0) return;
  const keys = {
    table: 'keys',
    rows: gone.length,
    columns: [{ name: 'token', type: 'String', values: gone.map((batch) => batch.token) }],
  };
  const last = `SELECT toUnixTimestamp(max(bucket)) AS hour FROM touched WHERE token IN (SELECT token FROM keys)${scope.tenant === null ? '' : ` AND tenant = ${scope.tenant}`}`;
  const [row] = await store.query(
    { name: 'last-gone-hour', sql: last, params: noParams as never, row: z.object({ hour: z.number() }) },
    {},
    { ...readLimits, keys },
  );
  const available = new Date(((row?.hour ?? scope.toHour) + 3600) * 1000).toISOString();
  throw new AppError(
    'replay.log_gone',
    `the log no longer holds ${gone.length} of the batches of this range: it can be rebuilt from ${available} on`,
    { status: 410, field: 'from', context: { firstAvailable: available, batches: gone.length } },
  );
}

/** Ids of series are what they were given when they were first seen; a replay reads them, it does not give them anew. */
async function seedSeries({ live, shadowName, ...place }: SwapPlace, scope: ReplayScope): Promise<void> {
  const columns = insertColumns(place.columns, 'series');
  const where = scope.tenant === null ? '' : ` WHERE tenant = ${scope.tenant}`;
  await live.execute(
    `INSERT INTO \`${shadowName}\`.series (${columns}) SELECT ${columns} FROM series FINAL${where}`,
    {},
    readLimits,
  );
}

async function takeBatch(
  log: Pick<Log, 'read'>,
  consumer: Pick<TelemetryConsumer, 'handle'>,
  batch: KnownBatch,
): Promise<number> {
  const { partition, first, last, epoch, token: name } = batch;
  const records: LogRecord[] = [];
  for await (const record of log.read('telemetry', partition, first, last + 1)) records.push(record);
  await consumer.handle({
    topic: 'telemetry',
    partition,
    epoch,
    first,
    last,
    token: name,
    redelivered: false,
    records,
  });
  return records.length;
}

/** Batches bring hours and tenants along that nobody asked for: their figures would be computed from part of their records. */
async function onlyScope(shadow: DatabaseStore, scope: ReplayScope): Promise<void> {
  await shadow.execute(
    `ALTER TABLE touched DELETE WHERE NOT (${withinHours({ time: 'bucket' }, scope)}) SETTINGS mutations_sync = 1`,
  );
}

async function copyContext(place: SwapPlace, tables: readonly ReplayTable[], scope: ReplayScope): Promise<void> {
  for (const table of tables) {
    const around = contextOf(table, scope);
    if (around === null) continue;
    const columns = insertColumns(place.columns, table.name);
    await place.live.execute(
      `INSERT INTO \`${place.shadowName}\`.\`${table.name}\` (${columns}) SELECT ${columns} FROM \`${table.name}\` FINAL WHERE ${around}`,
      {},
      readLimits,
    );
  }
}

async function daysOf(
  stores: { readonly live: Store; readonly shadow: Store; readonly columns: TableColumns },
  tables: readonly ReplayTable[],
  scope: ReplayScope,
  knownAt: readonly Position[],
): Promise<TableDay[]> {
  const days: TableDay[] = [];
  for (const table of tables) days.push(...(await compareTable(stores, table, scope, knownAt)));
  return days;
}

async function compareAll(
  place: SwapPlace,
  scope: ReplayScope,
  found: {
    readonly tables: readonly ReplayTable[];
    readonly positions: readonly Position[];
    readonly knownAts: readonly KnownAtResult[];
    readonly progress: ReplayProgress;
    readonly taken: ReadonlySet<string>;
  },
): Promise<Omit<ReplayReport, 'heldSeconds' | 'seconds'>> {
  const { live, shadowName } = place;
  const { tables, positions, knownAts } = found;
  const days = await daysOf(place, tables, scope, positions);
  const differing = new Set(days.filter(({ isEqual }) => !isEqual).map(({ table }) => table));
  const differences: TableDifference[] = [];
  for (const table of tables) {
    if (differing.has(table.name)) differences.push(await countDifferences(place, table, scope, positions));
  }
  const missing = `SELECT count() AS next, 0 AS partition FROM \`${shadowName}\`.series FINAL WHERE (tenant, series) NOT IN (SELECT tenant, series FROM series)`;
  const [row] = await live.query(adHoc('missing-series', missing, newest), {}, readLimits);
  const missingSeries = row?.next ?? 0;
  const isIdentical =
    differing.size === 0 && missingSeries === 0 && knownAts.every((one) => one.days.every(({ isEqual }) => isEqual));
  const { records } = found.progress;
  return {
    scope,
    days,
    differences,
    knownAts,
    missingSeries,
    swapped: [],
    batches: found.taken.size,
    records,
    positions,
    isIdentical,
  };
}

/** Stored tables first: whatever is interrupted then is computed from right rows. */
async function swapAll(
  place: SwapPlace,
  tables: readonly ReplayTable[],
  scope: ReplayScope,
  report: Omit<ReplayReport, 'heldSeconds' | 'seconds'>,
): Promise<string[]> {
  const swapped: string[] = [];
  if (report.missingSeries > 0) {
    const columns = insertColumns(place.columns, 'series');
    await place.live.execute(
      `INSERT INTO series (${columns}) SELECT ${columns} FROM \`${place.shadowName}\`.series FINAL WHERE (tenant, series) NOT IN (SELECT tenant, series FROM series)`,
      {},
      readLimits,
    );
    swapped.push('series');
  }
  for (const table of tables) {
    const days = report.days.filter((day) => day.table === table.name);
    for (const { knownAt, days: known } of report.knownAts) {
      const own = known.filter((day) => day.table === table.name);
      if (table.swap === 'append') swapped.push(...(await swapTable(place, table, scope, own, knownAt)));
    }
    swapped.push(...(await swapTable(place, table, scope, days, report.positions)));
  }
  return [...new Set(swapped)];
}
