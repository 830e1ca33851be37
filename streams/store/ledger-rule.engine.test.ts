import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKeptLedger } from './ledger-kept.ts';
import { judge, type LedgerFigures, type LedgerHop } from './ledger-rule.ts';
import { ledgerSource, sideColumns } from './ledger-sources.ts';
import { openStoreFixture, type StoreFixture } from './store-fixture.ts';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

const now = Date.parse('2026-11-21T12:30:00Z') / 1000;
const hourOfToday = (back: number) => Math.floor(now / 3600 - back) * 3600;
const small = fc.bigInt({ min: 0n, max: 2n });
const hops: readonly LedgerHop[] = ['accepted', 'logged', 'stored', 'rolled_up', 'rated', 'invoiced'];
/** Small numbers, so that equal ones are met often. */
const figures: fc.Arbitrary<LedgerFigures> = fc.record({
  hop: fc.constantFrom(...hops),
  hour: fc.integer({ min: 0, max: 40 }).map(hourOfToday),
  ...{ handed: small, taken: small, duplicates: small, conflicts: small },
  ...{ handedSum: small, takenSum: small, duplicateSum: small, handedSeconds: small, takenSeconds: small },
  ...{ reach: fc.bigInt({ min: 0n, max: 7n }), done: fc.bigInt({ min: 0n, max: 7n }) },
  exact: fc.boolean(),
  mayLeave: fc.boolean(),
});

test('the engine judges as the rule in plain code does', async () => {
  const { store } = fixture;
  const reached = { committed: 5n, metered: 4n };
  await store.execute(
    `CREATE TABLE cases (tenant UInt32, signal String, item String, hop String, hour DateTime('UTC'), handed UInt64, taken UInt64, duplicates UInt64, conflicts UInt64, handed_sum Decimal(38, 12), taken_sum Decimal(38, 12), duplicate_sum Decimal(38, 12), conflict_sum Decimal(38, 12), handed_seconds UInt64, taken_seconds UInt64, reach UInt64, done UInt64, partition UInt16, rule UInt8)
     ENGINE = MergeTree PARTITION BY toDate(hour) ORDER BY tenant`,
  );
  const cases = fc.sample(figures, { numRuns: 600, seed: 5 });
  const rows = cases.map(
    (row, index) =>
      `(${index + 1}, 'metrics', 'metrics', '${row.hop}', toDateTime(${row.hour}, 'UTC'), ${row.handed}, ${row.taken}, ${row.duplicates}, ${row.conflicts}, ${row.handedSum}, ${row.takenSum}, ${row.duplicateSum}, 0, ${row.handedSeconds}, ${row.takenSeconds}, ${row.reach}, ${row.done}, 3, ${(row.exact ? 1 : 0) + (row.mayLeave ? 2 : 0)})`,
  );
  await store.execute(`INSERT INTO cases SELECT * FROM VALUES('${caseColumns}', ${rows.join(', ')})`);
  const source = {
    ...ledgerSource(new URL('./sql/ledger-from-rolled.sql', import.meta.url), {
      name: 'cases',
      tables: ['cases'],
      figures: sideColumns.slice(5) as never,
    }),
    sql: "SELECT * FROM cases WHERE hour >= toDateTime({fromHour:UInt32}, 'UTC') AND hour < toDateTime({toHour:UInt32}, 'UTC') AND ({tenant:UInt32} = 0 OR tenant = {tenant:UInt32})",
  };
  const positions = { committed: [{ partition: 3, next: 5 }], metered: [{ partition: 3, next: 4 }] };
  const ledger = createKeptLedger({
    store,
    sources: [source],
    positions: async () => positions,
    now: () => now * 1000,
  });
  const range = { fromHour: hourOfToday(48), toHour: hourOfToday(-24) };
  const { rows: judged, totals } = await ledger.read(range, { skip: 0, limit: 10_000 });
  const states = new Map(judged.map(({ tenant, state }) => [tenant, state]));
  const wrong = cases.flatMap((row, index) => {
    const expected = judge(row, reached, now);
    const found = states.get(index + 1);
    return found === expected ? [] : [{ row, expected, found }];
  });
  expect(wrong).toEqual([]);
  const sum = (state: 'balanced' | 'pending' | 'mismatched') => totals.reduce((all, total) => all + total[state], 0);
  const expected = cases.map((row) => judge(row, reached, now));
  const count = (state: string) => expected.filter((one) => one === state).length;
  expect([sum('balanced'), sum('pending'), sum('mismatched')]).toEqual([
    count('balanced'),
    count('pending'),
    count('mismatch'),
  ]);
  for (const state of ['balanced', 'pending', 'mismatch']) expect(count(state)).toBeGreaterThan(30);
});

const caseColumns =
  "tenant UInt32, signal String, item String, hop String, hour DateTime(\\'UTC\\'), handed UInt64, taken UInt64, duplicates UInt64, conflicts UInt64, handed_sum Decimal(38, 12), taken_sum Decimal(38, 12), duplicate_sum Decimal(38, 12), conflict_sum Decimal(38, 12), handed_seconds UInt64, taken_seconds UInt64, reach UInt64, done UInt64, partition UInt16, rule UInt8";
