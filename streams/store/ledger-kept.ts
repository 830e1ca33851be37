import type { z } from 'zod';
import { AppError } from '../contract/index.ts';
import { dayCountRow, type figureColumns, flyingQuery, hourRow, totalRow } from './ledger-queries.ts';
import type { LedgerHop, LedgerState } from './ledger-rule.ts';
import {
  createLedgerSettler,
  jsonOfVersions,
  type Kept,
  type KeptLedgerOptions,
  type LedgerEffort,
  type LedgerHours,
  limits,
  oneTenant,
  type Reading,
} from './ledger-settle.ts';
import { daySeconds } from './ledger-state.ts';
import { dayCountsStatement, hoursStatement, totalsStatement } from './ledger-statements.ts';

export type { KeptLedgerOptions, LedgerEffort, LedgerHours, LedgerPositions } from './ledger-settle.ts';

/** One hand-over, of an hour or added up. Sums are exact decimals; null where records are counted only. */
interface Figures {
  readonly tenant: number;
  /** Signal or meter. */
  readonly item: string;
  readonly hop: LedgerHop;
  readonly handed: number;
  readonly taken: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly sums: {
    readonly handed: string;
    readonly taken: string;
    readonly duplicates: string;
    readonly conflicts: string;
  } | null;
}

export interface LedgerHourRow extends Figures {
  readonly hour: number;
  /** Measured seconds of time-weighted meters, which are compared too; null elsewhere. */
  readonly seconds: { readonly handed: number; readonly taken: number } | null;
  readonly state: LedgerState;
}

/** A hand-over over a range, in hours by their state. */
export interface LedgerTotal extends Figures {
  readonly hours: number;
  readonly balanced: number;
  readonly pending: number;
  readonly mismatched: number;
}

export interface LedgerPage {
  readonly state?: LedgerState;
  readonly skip: number;
  readonly limit: number;
}

export interface LedgerReading {
  readonly totals: readonly LedgerTotal[];
  readonly rows: readonly LedgerHourRow[];
  /** There are rows behind the page. */
  readonly more: boolean;
}

/**
 * The conservation ledger, kept.
 *
 * *Shape* every answer is about what the tables hold now: counts that were kept stand while the parts they were taken from are the same ones, everything else is counted again.
 * *Errors* those of the store: a failed reading is never a zero.
 */
export interface KeptLedger {
  /** Everything added up, and a page of hand-overs by day, tenant, item, hour and hop. */
  read(range: LedgerHours, page: LedgerPage, effort?: LedgerEffort): Promise<LedgerReading>;
  /** Counts what changed and keeps it, and forgets counts that nothing refers to any more. */
  keep(range: LedgerHours, effort?: LedgerEffort): Promise<{ counted: number }>;
}

const states: readonly LedgerState[] = ['balanced', 'pending', 'mismatch'];

function toFigures(row: z.infer<typeof figureColumns>): Figures {
  const { tenant, item, hop, handed, taken, duplicates, conflicts } = row;
  const sums =
    row.exact === 0
      ? null
      : {
          handed: row.handed_sum,
          taken: row.taken_sum,
          duplicates: row.duplicate_sum,
          conflicts: row.conflict_sum,
        };
  return { tenant, item, hop, handed, taken, duplicates, conflicts, sums };
}

/** Opens the kept ledger over `sources`. */
export function createKeptLedger(options: KeptLedgerOptions): KeptLedger {
  const { store } = options;
  const { read, sidesOf, judgeParams, settled, forget } = createLedgerSettler(options);

  /** Hours of batches that were being stored while the tables were read: their rows may stand in one table and not yet in the other. */
  async function flyingHours({ positions }: Reading, range: LedgerHours): Promise<ReadonlySet<string>> {
    const rows = await store.query(
      flyingQuery,
      {
        positions: JSON.stringify(positions.committed.map(({ partition, next }) => [partition, next])),
        fromHour: range.fromHour,
        toHour: range.toHour,
      },
      limits,
    );
    return new Set(rows.map(({ signal, tenant, hour }) => `${signal}/${tenant}/${hour}`));
  }

  /** Days of the range that stand added up and lie in it whole; the others are judged hour by hour. */
  function split(reading: Reading, range: LedgerHours): { whole: Kept[]; judged: number[] } {
    const whole = [...reading.addedUp.values()].filter(
      ({ day }) => day * daySeconds >= range.fromHour && (day + 1) * daySeconds <= range.toHour,
    );
    const days = new Set(whole.map(({ day }) => day));
    return { whole, judged: reading.days.filter((day) => !days.has(day)) };
  }

  async function totalsOf(reading: Reading, range: LedgerHours): Promise<LedgerTotal[]> {
    const { whole, judged } = split(reading, range);
    const sides = sidesOf(reading, judged, oneTenant(range));
    const rows = await read(
      'ledger-totals',
      totalsStatement(judged.length === 0 ? null : sides.sql),
      { ...sides.params, ...judgeParams(reading, range), whole: jsonOfVersions(whole) },
      totalRow,
      reading.effort,
    );
    const flying = rows.some(({ named }) => named.length > 0) ? await flyingHours(reading, range) : new Set<string>();
    return rows.map(({ signal, named, hours, balanced, pending, mismatched, ...row }) => {
      const inFlight = named.filter((hour) => flying.has(`${signal}/${row.tenant}/${hour}`)).length;
      return {
        ...toFigures(row),
        ...{ hours, balanced, pending: pending + inFlight, mismatched: mismatched - inFlight },
      };
    });
  }

  /** How many hand-overs of each state a day has, ascending: a page then reads only its own days. */
  async function countByDay(reading: Reading, range: LedgerHours) {
    const { whole, judged } = split(reading, range);
    const sides = sidesOf(reading, judged, oneTenant(range));
    return read(
      'ledger-day-counts',
      dayCountsStatement(judged.length === 0 ? null : sides.sql),
      { ...sides.params, ...judgeParams(reading, range), whole: jsonOfVersions(whole) },
      dayCountRow,
      reading.effort,
    );
  }

  async function hoursOf(
    reading: Reading,
    range: LedgerHours,
    page: LedgerPage,
  ): Promise<{ rows: LedgerHourRow[]; more: boolean }> {
    const wanted: number[] = [];
    let before = 0;
    let held = 0;
    let more = false;
    for (const { day, balanced, pending, mismatched } of await countByDay(reading, range)) {
      const has =
        page.state === undefined
          ? balanced + pending + mismatched
          : { balanced, pending, mismatch: mismatched }[page.state];
      if (wanted.length === 0 && before + has <= page.skip) before += has;
      else if (before + held < page.skip + page.limit) {
        if (has > 0) wanted.push(day);
        held += has;
      } else more ||= has > 0;
    }
    if (wanted.length === 0 || page.limit === 0) return { rows: [], more: more || held > 0 };
    const rows = await judgedHours(reading, range, wanted, page, page.skip - before);
    return { rows, more: more || before + held > page.skip + page.limit };
  }

  async function judgedHours(
    reading: Reading,
    range: LedgerHours,
    days: readonly number[],
    page: LedgerPage,
    skip: number,
  ): Promise<LedgerHourRow[]> {
    const bounds = {
      ...range,
      fromHour: Math.max(range.fromHour, (days[0] ?? 0) * daySeconds),
      toHour: Math.min(range.toHour, ((days.at(-1) ?? 0) + 1) * daySeconds),
    };
    const sides = sidesOf(reading, days, oneTenant(range));
    const state = page.state === undefined ? 3 : states.indexOf(page.state);
    const rows = await read(
      'ledger-hours',
      hoursStatement(sides.sql),
      { ...sides.params, ...judgeParams(reading, bounds), state, limit: page.limit, skip },
      hourRow,
    );
    const flying = rows.some((row) => row.state === 2) ? await flyingHours(reading, bounds) : new Set<string>();
    return rows.map((row) => {
      const isFlying = flying.has(`${row.signal}/${row.tenant}/${row.hour}`);
      const found = states[row.state === 2 && isFlying ? 1 : row.state];
      if (found === undefined) throw new AppError('store.row_invalid', `ledger: there is no state ${row.state}`);
      const { handed_seconds: handed, taken_seconds: taken } = row;
      return {
        ...toFigures(row),
        hour: row.hour,
        seconds: handed + taken === 0 ? null : { handed, taken },
        state: found,
      };
    });
  }

  return {
    async read(range, page, effort) {
      const { reading } = await settled(range, effort);
      const totals = await totalsOf(reading, range);
      // Nothing of that state: no need to look where it is.
      const has = totals.some(
        (total) =>
          page.state === undefined ||
          { balanced: total.balanced, pending: total.pending, mismatch: total.mismatched }[page.state] > 0,
      );
      const listed =
        page.limit > 0 && has ? await hoursOf(reading, range, page) : { rows: [], more: has && page.limit === 0 };
      return { totals, ...listed };
    },
    async keep(range, effort) {
      const { counted } = await settled(range, effort);
      if (counted > 0) await forget();
      return { counted };
    },
  };
}
