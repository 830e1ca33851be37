import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { createChdbStore, type LedgerReading, readLedger } from 'streams/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBillingLedger } from './billing-ledger.ts';

const dir = await mkdtemp(join(tmpdir(), 'pulse-kept-ledger-'));
const store = createChdbStore({
  dir,
  memoryBytes: 600e6,
  connections: 3,
  logger: pino({ level: 'silent' }),
  clock: { now: () => 0 },
});
beforeAll(() => store.start());
afterAll(async () => {
  await store.stop();
  await rm(dir, { recursive: true, force: true });
});

const now = Date.parse('2026-06-20T12:30:00Z');
const day = (back: number) => Math.floor(now / 86_400_000 - back) * 86_400;
/** Hours of days that are kept, at the edge of one, and of the running day. */
const hours = [day(5) + 36_000, day(5) + 82_800, day(4), day(2) + 3600, day(0) + 3600];
const range = { fromHour: day(6), toHour: day(-1) };

/** A batch of events, and what the same batch does when it comes again. */
interface Batch {
  readonly tenant: number;
  readonly hour: number;
  readonly ids: readonly number[];
}
type Step =
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'replay'; readonly pick: number }
  | { readonly kind: 'meter' | 'merge' | 'read' }
  | { readonly kind: 'tamper'; readonly pick: number };
const batch = fc.record({
  tenant: fc.integer({ min: 1, max: 3 }),
  hour: fc.integer({ min: 0, max: hours.length - 1 }),
  ids: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 4 }),
});
const pick = fc.nat({ max: 20 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: batch.map((one): Step => ({ kind: 'batch', batch: one })) },
    { weight: 2, arbitrary: pick.map((one): Step => ({ kind: 'replay', pick: one })) },
    { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: 'meter' }, { kind: 'merge' }) },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'read' }) },
    { weight: 1, arbitrary: pick.map((one): Step => ({ kind: 'tamper', pick: one })) },
  ),
  { minLength: 8, maxLength: 14 },
);

/** Writes as the consumer does: hand-overs first, then what is new by its identity; a batch that comes again writes the same rows. */
async function write(seq: number, { tenant, hour, ids }: Batch, fresh: readonly boolean[]): Promise<void> {
  const at = hours[hour] ?? 0;
  const duplicates = fresh.filter((isFresh) => !isFresh).length;
  await store.execute(
    `INSERT INTO touched (token, signal, tenant, bucket, accepted, logged, duplicates, accepted_sum, logged_sum, duplicate_sum, seq, partition)
     SELECT 'b${seq}', 'events', ${tenant}, toDateTime(${at}, 'UTC'), ${ids.length}, ${ids.length}, ${duplicates}, ${ids.length} * 0.25, ${ids.length} * 0.25, ${duplicates} * 0.25, ${seq}, 0`,
  );
  const rows = ids.filter((_, index) => fresh[index]);
  if (rows.length === 0) return;
  await store.execute(
    `INSERT INTO usage_events (tenant, type, source, id, subject, time, received, value, partition, offset)
     SELECT ${tenant}, 'api_calls', '/isp', concat('${hour}-', toString(id)), '', toDateTime64(${at} + id, 3, 'UTC'), toDateTime64(${at}, 3, 'UTC'), 0.25, 0, ${seq} FROM (SELECT arrayJoin([${rows.join()}]) AS id)`,
  );
}

const meter = (next: number) =>
  store.execute(
    `INSERT INTO billing_facts (tenant, meter, subject, bucket, value, seconds, events, partition, version)
     SELECT tenant, 'api_calls', '', toStartOfFifteenMinutes(time), sum(value), 0, count(), 0, ${next - 1} FROM usage_events FINAL GROUP BY 1, 4`,
  );

const text = ({ totals, rows }: LedgerReading) => JSON.stringify({ totals, rows });

test('whatever the order, duplicates, late data, replays, merges and tampering: the kept ledger says what one counted anew says', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (run) => {
      for (const table of [
        'touched',
        'usage_events',
        'billing_facts',
        'metered_positions',
        'ledger_kept',
        'ledger_counts',
        'ledger_days',
      ]) {
        await store.execute(`TRUNCATE TABLE ${table}`);
      }
      let next = 1;
      let metered = 0;
      const ledgerOf = () =>
        createBillingLedger({ store, storedPositions: async () => [{ partition: 0, next }], now: () => now });
      const kept = ledgerOf();
      const known = new Set<string>();
      const batches: { seq: number; batch: Batch; fresh: boolean[] }[] = [];
      for (const step of run) {
        if (step.kind === 'batch') {
          const fresh = step.batch.ids.map((id) => {
            const identity = `${step.batch.tenant}/${step.batch.hour}/${id}`;
            const isFresh = !known.has(identity);
            known.add(identity);
            return isFresh;
          });
          batches.push({ seq: next, batch: step.batch, fresh });
          await write(next, step.batch, fresh);
          next += 1;
        } else if (step.kind === 'replay') {
          const again = batches[step.pick % Math.max(1, batches.length)];
          if (again !== undefined) await write(again.seq, again.batch, again.fresh);
        } else if (step.kind === 'meter') {
          await meter(next);
          metered = next;
          await store.execute(`INSERT INTO metered_positions (partition, next, at) SELECT 0, ${metered}, now64(3)`);
        } else if (step.kind === 'merge') {
          for (const table of ['touched', 'usage_events', 'billing_facts'])
            await store.execute(`OPTIMIZE TABLE ${table} FINAL`);
        } else if (step.kind === 'tamper') {
          await store.execute(
            `ALTER TABLE usage_events UPDATE value = value + 1 WHERE id = '${step.pick % 5}-${step.pick % 9}' SETTINGS mutations_sync = 1`,
          );
        } else await kept.read(range, { skip: 0, limit: 0 });
      }
      const page = { skip: 0, limit: 10_000 };
      const standing = await kept.read(range, page);
      // Counted by another statement, whole, from the tables themselves.
      const direct = await readLedger(store, range);
      const told = standing.rows.filter(({ item, hop }) => item === 'events' && hop === 'stored');
      expect(
        told.map((row) => [row.tenant, row.hour, row.handed, row.duplicates, row.taken, row.sums?.taken]).toSorted(),
      ).toEqual(
        direct.map((row) => [row.tenant, row.hour, row.logged, row.duplicates, row.stored, row.storedSum]).toSorted(),
      );
      await store.execute('TRUNCATE TABLE ledger_kept');
      expect(text(standing)).toBe(text(await ledgerOf().read(range, page)));
    }),
    { numRuns: 3, seed: 11, endOnFailure: true },
  );
});

test('kept rows that were lost or altered are counted again', async () => {
  const ledger = createBillingLedger({
    store,
    storedPositions: async () => [{ partition: 0, next: 50 }],
    now: () => now,
  });
  const page = { skip: 0, limit: 10_000 };
  const sound = text(await ledger.read(range, page));
  for (const spoil of [
    'ALTER TABLE ledger_days DELETE WHERE tenant = 1 SETTINGS mutations_sync = 1',
    'ALTER TABLE ledger_days UPDATE mismatched = 0, taken = handed WHERE 1 SETTINGS mutations_sync = 1',
    'ALTER TABLE ledger_counts UPDATE taken = taken + 1 WHERE 1 SETTINGS mutations_sync = 1',
    'TRUNCATE TABLE ledger_days',
    'TRUNCATE TABLE ledger_counts',
    'TRUNCATE TABLE ledger_kept',
  ]) {
    await store.execute(spoil);
    expect(text(await ledger.read(range, page)), spoil).toBe(sound);
  }
});
