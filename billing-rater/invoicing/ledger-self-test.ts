import type { DatabaseStore } from 'streams/store';
import { createKeptLedger, handsTo, type LedgerHop, type LedgerSource } from 'streams/store';
import { ledgerSources } from './ledger-sources.ts';

/** What the ledger says of a shadow copy: everything agrees, this hand-over does not, or it cannot be read. */
export type LedgerVerdict = 'MATCH' | 'MISMATCH' | 'CHECK_ERROR';

export interface SelfTestCheck {
  readonly from: string;
  readonly to: string;
  readonly spoiling: 'nothing' | 'dropped' | 'doubled' | 'read broken';
  readonly expected: LedgerVerdict;
  readonly verdict: LedgerVerdict;
}

export interface SelfTestReport {
  readonly passed: boolean;
  readonly checks: readonly SelfTestCheck[];
}

/** A day that is over for long: its counts are kept, and have to be counted again after each spoiling. */
const hour = Date.parse('2026-03-10T10:00:00Z') / 1000;
const nowMs = Date.parse('2026-03-20T00:00:00Z');
const tables = [
  'produced',
  'touched',
  'samples',
  'series',
  'usage_events',
  'rolled',
  'billing_facts',
  'metered_positions',
  'invoiced_facts',
];
const at = (second: number) => `toDateTime64(${hour + second}, 3, 'UTC')`;
const start = `toDateTime(${hour}, 'UTC')`;

/** One hour of one tenant, whole from producer to invoice: two numbered exports, four points, three usage events. */
const seed: readonly string[] = [
  `INSERT INTO produced (tenant, signal, producer, first, count, bucket, accepted, anchored, seq, partition) SELECT 1, 'metrics', 'run', 1 + 2 * number, 2, ${start}, 2, true, 1, 0 FROM numbers(2)`,
  `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, seq, partition) SELECT 'm', 'metrics', 1, ${start}, 4, 4, 1, 0`,
  `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, accepted_sum, logged_sum, seq, partition) SELECT 'e', 'events', 1, ${start}, 3, 3, 36.75, 36.75, 1, 0`,
  `INSERT INTO series (tenant, metric, series, kind) SELECT 1, 'dotmac.customers.active', 1, 'gauge'`,
  `INSERT INTO samples (tenant, series, time, value, retention_days) SELECT 1, 1, ${at(0)} + toIntervalSecond(900 * number), 100, 400 FROM numbers(4)`,
  `INSERT INTO usage_events (tenant, type, source, id, subject, time, received, value, partition, offset) SELECT 1, 'api_calls', '/isp', toString(number), 'portal', ${at(1)}, ${at(1)}, 12.25, 0, 1 FROM numbers(3)`,
  `INSERT INTO rolled (signal, tenant, bucket, version, rows) SELECT 'metrics', 1, ${start}, 1, 4`,
  `INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version) SELECT 1, 'active_customers', '', ${start} + 900 * number, 90000, 900, 1, 0, 1 FROM numbers(4)`,
  `INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version) SELECT 1, 'api_calls', '', ${start}, 36.75, 0, 3, 0, 1`,
  `INSERT INTO metered_positions (partition, next, at) SELECT 0, 2, ${at(3600)}`,
  'INSERT INTO invoiced_facts SELECT * FROM billing_facts',
];

const now = 'SETTINGS mutations_sync = 1';
const firstQuarter = `meter = 'active_customers' AND bucket = ${start}`;
const again = (table: string) =>
  `INSERT INTO ${table} SELECT * REPLACE ('again' AS subject) FROM (SELECT * FROM ${table} WHERE ${firstQuarter})`;

/** Each hand-over: how one record is taken away from its receiving side, how one is added, and the table that it is read from. */
const spoilings: Readonly<
  Record<
    LedgerHop,
    {
      readonly drop: string;
      readonly double: string;
      readonly table: string;
      /** Sources that tell of the hand-over. */
      readonly sources: readonly string[];
    }
  >
> = {
  accepted: {
    drop: `ALTER TABLE produced DELETE WHERE first = 1 ${now}`,
    double: `ALTER TABLE produced UPDATE accepted = 2 * accepted WHERE first = 3 ${now}`,
    table: 'produced',
    sources: ['produced'],
  },
  logged: {
    drop: `ALTER TABLE touched UPDATE logged = logged - 1 WHERE signal = 'metrics' ${now}`,
    double: `ALTER TABLE touched UPDATE logged = logged + 1 WHERE signal = 'metrics' ${now}`,
    table: 'touched',
    sources: ['touched', 'samples', 'usage-events'],
  },
  stored: {
    drop: `ALTER TABLE samples DELETE WHERE time = ${at(0)} ${now}`,
    double: `INSERT INTO samples SELECT * REPLACE (time + toIntervalMillisecond(1) AS time) FROM (SELECT * FROM samples WHERE time = ${at(0)})`,
    table: 'samples',
    sources: ['touched', 'samples', 'usage-events'],
  },
  rolled_up: {
    drop: `ALTER TABLE rolled UPDATE rows = rows - 1 WHERE tenant = 1 ${now}`,
    double: `ALTER TABLE rolled UPDATE rows = rows + 1 WHERE tenant = 1 ${now}`,
    table: 'rolled',
    sources: ['touched', 'samples', 'rolled'],
  },
  rated: {
    drop: `ALTER TABLE billing_facts DELETE WHERE ${firstQuarter} ${now}`,
    double: again('billing_facts'),
    table: 'billing_facts',
    sources: ['touched', 'levels', 'usage-events', 'rated'],
  },
  invoiced: {
    drop: `ALTER TABLE invoiced_facts DELETE WHERE ${firstQuarter} ${now}`,
    double: again('invoiced_facts'),
    table: 'invoiced_facts',
    sources: ['touched', 'rated', 'invoiced'],
  },
};

/** Invoices read the facts; here they read a copy, so that what an invoice takes can be spoiled apart from them. */
function shadowSources(): LedgerSource[] {
  return ledgerSources().map((source) =>
    source.name === 'invoiced'
      ? {
          ...source,
          tables: ['invoiced_facts'],
          sql: source.sql.replace('FROM billing_facts AS f', 'FROM invoiced_facts AS f'),
        }
      : source,
  );
}

/**
 * Shows that the ledger notices what it is there for: at each hand-over of a shadow copy one record is dropped, one doubled, and the reading broken.
 *
 * *Shape* `shadow` is a database of its own that is started here and dropped at the end; live tables are not touched.
 * *Errors* those of making the shadow; a reading that fails in it is a verdict.
 */
export async function runLedgerSelfTest(shadow: DatabaseStore): Promise<SelfTestReport> {
  await shadow.dropDatabase();
  await shadow.start();
  try {
    await shadow.execute('CREATE TABLE IF NOT EXISTS invoiced_facts AS billing_facts');
    const positions = [{ partition: 0, next: 2 }];
    const ledgerOf = (hop: LedgerHop) =>
      createKeptLedger({
        store: shadow,
        sources: shadowSources().filter(({ name }) => spoilings[hop].sources.includes(name)),
        positions: async () => ({ committed: positions, metered: positions }),
        now: () => nowMs,
      });
    const fill = async () => {
      for (const table of tables) await shadow.execute(`TRUNCATE TABLE ${table}`);
      for (const statement of seed) await shadow.execute(statement);
    };
    const judge = async (hop: LedgerHop): Promise<LedgerVerdict> => {
      try {
        const { totals } = await ledgerOf(hop).read(
          { fromHour: hour - 86_400, toHour: hour + 86_400 },
          { skip: 0, limit: 0 },
        );
        const told = totals.filter((total) => total.hop === hop);
        if (told.some(({ mismatched }) => mismatched > 0)) return 'MISMATCH';
        return told.length > 0 && told.every(({ balanced, hours }) => balanced === hours) ? 'MATCH' : 'CHECK_ERROR';
      } catch {
        return 'CHECK_ERROR';
      }
    };
    const checks: SelfTestCheck[] = [];
    for (const hop of Object.keys(spoilings) as LedgerHop[]) {
      const { drop, double, table } = spoilings[hop];
      const sides = { from: handsTo[hop], to: hop };
      await fill();
      checks.push({ ...sides, spoiling: 'nothing', expected: 'MATCH', verdict: await judge(hop) });
      await shadow.execute(drop);
      checks.push({ ...sides, spoiling: 'dropped', expected: 'MISMATCH', verdict: await judge(hop) });
      await fill();
      await shadow.execute(double);
      checks.push({ ...sides, spoiling: 'doubled', expected: 'MISMATCH', verdict: await judge(hop) });
      await shadow.execute(`RENAME TABLE ${table} TO ${table}_away`);
      checks.push({ ...sides, spoiling: 'read broken', expected: 'CHECK_ERROR', verdict: await judge(hop) });
      await shadow.execute(`RENAME TABLE ${table}_away TO ${table}`);
    }
    return { passed: checks.every(({ expected, verdict }) => expected === verdict), checks };
  } finally {
    await shadow.dropDatabase();
  }
}
