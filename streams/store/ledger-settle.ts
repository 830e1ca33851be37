import { z } from 'zod';
import { AppError } from '../contract/index.ts';
import { count, countsDigest, daysDigest, keptQuery, partsQuery, tablesQuery } from './ledger-queries.ts';
import { type LedgerSource, prefixed, selectSides } from './ledger-sources.ts';
import { dayOf, daySeconds, dayState, runsOf, statesOf } from './ledger-state.ts';
import { countStatement, dayStatement, keepStatement, ruleState, standingCounts } from './ledger-statements.ts';
import type { QueryOptions, Store } from './port.ts';

/** One thread: the union of many short readings, grouped and put in windows, costs two threads more than twice the work (measured over a day of 1,000 tenants). */
export const limits = { timeoutSeconds: 120, maxMemoryBytes: 320 * 1024 * 1024, maxThreads: 1 };
/** A day is kept from this long after its end on: until then what is due late would keep it pending. */
const quietSeconds = 7200;
/** MEMORY_LIMIT_EXCEEDED. */
const memoryLimitCode = '241';
const daysSource = 'days';

/** How far the log has been read. *Shape* offsets below `next` are in the tables (`committed`), in the billing facts (`metered`). */
export interface LedgerPositions {
  readonly committed: readonly { readonly partition: number; readonly next: number }[];
  readonly metered: readonly { readonly partition: number; readonly next: number }[];
}

/** Hours `[fromHour, toHour)` of some tenants or, without any named, of all. *Units* seconds since the epoch. */
export interface LedgerHours {
  readonly tenants?: readonly number[];
  readonly fromHour: number;
  readonly toHour: number;
}

/** `isBackground`: nobody waits for it, so one thread of low priority. */
export interface LedgerEffort {
  readonly isBackground: boolean;
}

export interface KeptLedgerOptions {
  readonly store: Store;
  readonly sources: readonly LedgerSource[];
  /** Read before the tables are. */
  positions(): Promise<LedgerPositions>;
  now(): number;
}

export interface Unit {
  readonly source: string;
  readonly day: number;
}

/** A count that was taken of the tables in a state. */
export interface Counted extends Unit {
  readonly state: string;
  readonly version: string;
}

export interface Kept extends Counted {
  readonly digest: string;
  readonly rows: number;
}

/** A statement's table `sides`, with the parameters in it. */
export interface Sides {
  readonly sql: string;
  readonly params: Record<string, unknown>;
}

/** What a reading goes by. */
export interface Reading {
  readonly now: number;
  readonly positions: LedgerPositions;
  readonly days: readonly number[];
  readonly states: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** Counts that stand. */
  readonly counts: ReadonlyMap<string, Kept>;
  /** Days added up that stand. */
  readonly addedUp: ReadonlyMap<number, Kept>;
  /** Days to judge hour by hour: not over for long, or with something pending. */
  readonly open: readonly number[];
  /** Bounds of the statements that count. */
  readonly effort: QueryOptions;
}

/** What the tables are asked for: one tenant or, with 0, all. */
export const oneTenant = ({ tenants }: LedgerHours): number => (tenants?.length === 1 ? (tenants[0] ?? 0) : 0);

const keyOf = (source: string, day: number) => `${source}@${day}`;

export const jsonOfVersions = (units: readonly { source: string; day: number; version: string }[]) =>
  `[${units.map(({ source, day, version }) => `[${JSON.stringify(source)},${day},${version}]`).join()}]`;

let lastVersion = 0;
/** Ascends within a process and hardly ever meets another's; the digest tells if it does. */
function nextVersion(): number {
  lastVersion = Math.max(lastVersion + 1, Date.now() * 1000 + Math.floor(Math.random() * 1000));
  return lastVersion;
}

/** Counts what the tables hold where nothing stands for it yet, adds up what is over, and says what stands: what the kept ledger answers from. */
export function createLedgerSettler(options: KeptLedgerOptions) {
  const { store, sources } = options;
  const tables = [...new Set(sources.flatMap((source) => source.tables))];
  let keeping: Promise<unknown> = Promise.resolve();
  /** The kept days that were found intact, and the parts that they were read from: equal parts hold equal rows. */
  let verified = '';

  const read = <R extends z.ZodType>(
    name: string,
    sql: string,
    params: Record<string, unknown>,
    row: R,
    effort: QueryOptions = limits,
  ) =>
    store.query({ name, sql, params: z.record(z.string(), z.unknown()), row }, params, effort) as Promise<
      z.output<R>[]
    >;

  /** *Errors* `store.query_failed` when a table is gone: no parts would look like no rows. */
  async function readParts() {
    const found = new Set((await store.query(tablesQuery, { tables }, limits)).map(({ name }) => name));
    const gone = tables.filter((table) => !found.has(table));
    if (gone.length > 0) throw new AppError('store.query_failed', `ledger: there is no table ${gone.join(', ')}`);
    return store.query(partsQuery, { tables: [...tables, 'ledger_days'] }, limits);
  }

  function positionParams({ committed, metered }: LedgerPositions) {
    const partitions = [...new Set([...committed, ...metered].map(({ partition }) => partition))];
    const nextOf = (positions: LedgerPositions['committed']) => {
      const byPartition = new Map(positions.map(({ partition, next }) => [partition, next]));
      return partitions.map((partition) => byPartition.get(partition) ?? 0);
    };
    return { partitions, committed: nextOf(committed), metered: nextOf(metered) };
  }

  /** Counts one source over a run of days; what does not fit into the engine's memory is cut in half. */
  async function countDays(
    source: LedgerSource,
    run: { from: number; to: number },
    reading: Reading,
  ): Promise<Counted[]> {
    try {
      return await countRun(source, run, reading);
    } catch (error) {
      if (!(error instanceof AppError) || error.context['engineCode'] !== memoryLimitCode || run.to - run.from < 2)
        throw error;
      const middle = run.from + Math.ceil((run.to - run.from) / 2);
      const first = await countDays(source, { from: run.from, to: middle }, reading);
      return [...first, ...(await countDays(source, { from: middle, to: run.to }, reading))];
    }
  }

  async function countRun(
    source: LedgerSource,
    run: { from: number; to: number },
    reading: Reading,
  ): Promise<Counted[]> {
    const version = nextVersion();
    const bounds = { fromHour: run.from * daySeconds, toHour: run.to * daySeconds };
    const positions = positionParams(reading.positions);
    const params = { ...source.params, ...positions, ...bounds, tenant: 0 };
    await store.execute(countStatement(source), { ...params, name: source.name, version }, reading.effort);
    const beyond =
      source.beyond === undefined
        ? []
        : await read('ledger-beyond', source.beyond, { ...positions, ...bounds }, z.object({ day: count }));
    const open = new Set(beyond.map(({ day }) => day));
    const days = Array.from({ length: run.to - run.from }, (_, index) => run.from + index);
    return days.flatMap((day): Counted[] => {
      const state = reading.states.get(source.name)?.get(day) ?? '';
      return state === '' || open.has(day) ? [] : [{ source: source.name, day, state, version: String(version) }];
    });
  }

  /** Keeps what was counted where the tables stood still meanwhile. */
  async function keepCounts(counted: readonly Counted[]): Promise<Kept[]> {
    if (counted.length === 0) return [];
    const digests = new Map(
      (await store.query(countsDigest, { versions: jsonOfVersions(counted) }, limits)).map((row) => [
        keyOf(row.source, row.day),
        row,
      ]),
    );
    const days = [...new Set(counted.map(({ day }) => day))].toSorted((a, b) => a - b);
    const after = statesOf(sources, await readParts(), days);
    const kept = counted.flatMap((one): Kept[] => {
      if (after.get(one.source)?.get(one.day) !== one.state) return [];
      const digest = digests.get(keyOf(one.source, one.day));
      return [{ ...one, digest: digest?.digest ?? '0', rows: digest?.rows ?? 0 }];
    });
    await remember(kept);
    return kept;
  }

  async function remember(kept: readonly Kept[]): Promise<void> {
    if (kept.length === 0) return;
    const rows = kept.map(
      ({ source, day, state, version, digest, rows }) =>
        `[${JSON.stringify(source)},${day},${JSON.stringify(state)},${version},${digest},${rows}]`,
    );
    await store.execute(keepStatement, { kept: `[${rows.join()}]`, at: Date.now() });
  }

  /** Those of the kept counts whose rows are what they were. */
  async function intact(query: typeof countsDigest, kept: readonly Kept[]): Promise<Kept[]> {
    const filled = kept.filter(({ rows }) => rows > 0);
    if (filled.length === 0) return [...kept];
    const found = new Map(
      (await store.query(query, { versions: jsonOfVersions(filled) }, limits)).map((row) => [
        keyOf(row.source, row.day),
        row,
      ]),
    );
    return kept.filter(({ source, day, digest, rows }) => {
      if (rows === 0) return true;
      const row = found.get(keyOf(source, day));
      return row?.digest === digest && row.rows === rows;
    });
  }

  /** The table `sides` of some days: counts that stand, and what does not counted now. */
  function sidesOf(
    reading: Pick<Reading, 'counts' | 'states' | 'positions'>,
    days: readonly number[],
    tenant: number,
  ): Sides {
    const standing: Kept[] = [];
    const pieces: string[] = [];
    const params: Record<string, unknown> = {};
    sources.forEach((source, index) => {
      for (const day of days) {
        const kept = reading.counts.get(keyOf(source.name, day));
        if (kept !== undefined && kept.rows > 0) standing.push(kept);
      }
      const stale = days.filter((day) => {
        const state = reading.states.get(source.name)?.get(day) ?? '';
        return state !== '' && !reading.counts.has(keyOf(source.name, day));
      });
      // Run by run: days between them stand, or are not asked for, and are not read.
      runsOf(stale, stale.length).forEach(({ from, to }, run) => {
        const prefix = `s${index}_${run}_`;
        const bounds = { fromHour: from * daySeconds, toHour: to * daySeconds, tenant };
        pieces.push(selectSides(source, prefix));
        Object.assign(params, prefixed({ ...source.params, ...positionParams(reading.positions), ...bounds }, prefix));
      });
    });
    pieces.push(standingCounts);
    params['standing'] = jsonOfVersions(standing);
    return { sql: `sides AS (\n${pieces.join('\nUNION ALL\n')}\n)`, params };
  }

  const judgeParams = (reading: Pick<Reading, 'positions' | 'now'>, range: LedgerHours) => ({
    ...positionParams(reading.positions),
    now: Math.floor(reading.now / 1000),
    fromHour: range.fromHour,
    toHour: range.toHour,
    tenants: range.tenants ?? [],
  });

  /** Adds a day up and keeps it, unless something is pending. */
  async function keepDay(reading: Reading, day: number, state: string): Promise<Kept | null> {
    const range = { fromHour: day * daySeconds, toHour: (day + 1) * daySeconds };
    const sides = sidesOf(reading, [day], 0);
    const version = nextVersion();
    await store.execute(
      dayStatement(sides.sql),
      { ...sides.params, ...judgeParams(reading, range), day, version },
      reading.effort,
    );
    const versions = jsonOfVersions([{ source: daysSource, day, version: String(version) }]);
    const [digest] = await store.query(daysDigest, { versions }, limits);
    const [open] = await read(
      'ledger-day-open',
      'SELECT count() AS open FROM ledger_days WHERE day = toDate({day:UInt32}) AND version = {version:UInt64} AND pending > 0',
      { day, version },
      z.object({ open: count }),
    );
    if (open === undefined || open.open > 0) return null;
    const kept = {
      source: daysSource,
      day,
      state,
      version: String(version),
      digest: digest?.digest ?? '0',
      rows: digest?.rows ?? 0,
    };
    await remember([kept]);
    return kept;
  }

  const countsOf = (counts: ReadonlyMap<string, Kept>, day: number) =>
    sources.flatMap(({ name }) => counts.get(keyOf(name, day)) ?? []);

  /** States and what stands for them, before anything is counted. */
  async function look(
    range: LedgerHours,
  ): Promise<Omit<Reading, 'open' | 'addedUp' | 'effort'> & { known: readonly Kept[]; daysParts: string }> {
    const now = options.now();
    const positions = await options.positions();
    const parts = await readParts();
    const [from, to] = [dayOf(range.fromHour), dayOf(range.toHour - 1) + 1];
    const days = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
    const states = statesOf(sources, parts, days);
    const known = await store.query(keptQuery, { fromDay: from, toDay: to }, limits);
    const counts = new Map(
      known
        .filter(({ source, day, state }) => states.get(source)?.get(day) === state && state !== '')
        .map((kept) => [keyOf(kept.source, kept.day), kept]),
    );
    const present = days.filter((day) => sources.some(({ name }) => (states.get(name)?.get(day) ?? '') !== ''));
    const daysParts = parts.filter(({ table }) => table === 'ledger_days').map(({ name, hash }) => `${name}/${hash}`);
    return { now, positions, days: present, states, counts, known, daysParts: daysParts.toSorted().join() };
  }

  /** Brings the counts and the sums of days that are over up to what the tables hold. */
  async function settle(range: LedgerHours, effort: QueryOptions): Promise<{ reading: Reading; counted: number }> {
    const { known, daysParts, ...seen } = await look(range);
    const quiet = seen.days.filter((day) => (day + 1) * daySeconds + quietSeconds <= seen.now / 1000);
    const counts = new Map(seen.counts);
    const reading = { ...seen, counts, addedUp: new Map<number, Kept>(), open: [] as number[], effort };
    const taken: Counted[] = [];
    for (const source of sources) {
      const stale = quiet.filter((day) => {
        const state = seen.states.get(source.name)?.get(day) ?? '';
        return state !== '' && !counts.has(keyOf(source.name, day));
      });
      for (const run of runsOf(stale, source.daysMax)) taken.push(...(await countDays(source, run, reading)));
    }
    const fresh = new Set<string>();
    for (const kept of await keepCounts(taken)) {
      counts.set(keyOf(kept.source, kept.day), kept);
      fresh.add(keyOf(kept.source, kept.day));
    }
    let counted = taken.length;
    const sums = new Map(known.filter(({ source }) => source === daysSource).map((kept) => [kept.day, kept]));
    const standing: Kept[] = [];
    const due: { day: number; state: string }[] = [];
    const open = seen.days.filter((day) => !quiet.includes(day));
    for (const day of quiet) {
      const isCounted = sources.every(
        ({ name }) => (seen.states.get(name)?.get(day) ?? '') === '' || counts.has(keyOf(name, day)),
      );
      const state = `${ruleState}${dayState(countsOf(counts, day))}`;
      const sum = sums.get(day);
      if (!isCounted) open.push(day);
      else if (sum?.state === state) standing.push(sum);
      else due.push({ day, state });
    }
    const claim = `${daysParts}#${jsonOfVersions(standing)}`;
    const found = claim === verified ? standing : await intact(daysDigest, standing);
    if (found.length === standing.length) verified = claim;
    const sound = new Map(found.map((kept) => [kept.day, kept]));
    for (const { day, state } of standing) if (!sound.has(day)) due.push({ day, state });
    // Before counts are added up: rows of theirs that were lost or altered are counted again.
    const used = due
      .flatMap(({ day }) => countsOf(counts, day))
      .filter(({ source, day }) => !fresh.has(keyOf(source, day)));
    const whole = new Set((await intact(countsDigest, used)).map(({ source, day }) => keyOf(source, day)));
    const again: Counted[] = [];
    for (const { source: name, day } of used) {
      if (whole.has(keyOf(name, day))) continue;
      counts.delete(keyOf(name, day));
      const source = sources.find((candidate) => candidate.name === name);
      if (source !== undefined) again.push(...(await countDays(source, { from: day, to: day + 1 }, reading)));
    }
    for (const kept of await keepCounts(again)) counts.set(keyOf(kept.source, kept.day), kept);
    for (const { day, state } of due) {
      const kept = await keepDay(reading, day, state);
      counted += 1;
      if (kept === null) open.push(day);
      else sound.set(day, kept);
    }
    return { reading: { ...reading, addedUp: sound, open: open.toSorted((a, b) => a - b) }, counted };
  }

  /** One at a time in a process: a second caller finds what the first has kept. */
  function settled(range: LedgerHours, effort: LedgerEffort | undefined) {
    const next = keeping.then(() => settle(range, { ...limits, isBackground: effort?.isBackground ?? false }));
    keeping = next.catch(() => undefined);
    return next;
  }

  /** Counts of which no kept row tells any more. An hour old: another process may be about to refer to younger ones. */
  async function forget(): Promise<void> {
    const old = (options.now() - 3_600_000) * 1000;
    for (const [table, key, source] of [
      ['ledger_counts', '(source, day, version)', "source != 'days'"],
      ['ledger_days', "('days', day, version)", "source = 'days'"],
    ] as const) {
      const where = `version < {old:UInt64} AND ${key} NOT IN (SELECT source, day, version FROM ledger_kept FINAL WHERE ${source})`;
      const [found] = await read(
        'ledger-forgotten',
        `SELECT count() AS rows FROM ${table} WHERE ${where}`,
        { old },
        z.object({ rows: count }),
      );
      if ((found?.rows ?? 0) > 0)
        await store.execute(`ALTER TABLE ${table} DELETE WHERE ${where} SETTINGS mutations_sync = 1`, { old }, limits);
    }
  }

  return { read, sidesOf, judgeParams, settled, forget };
}
