import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createChdbStore } from 'streams/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { runLedgerSelfTest } from './ledger-self-test.ts';

const dir = await mkdtemp(join(tmpdir(), 'pulse-self-test-'));
const store = createChdbStore({
  dir,
  memoryBytes: 600e6,
  connections: 2,
  logger: pino({ level: 'silent' }),
  clock: { now: () => 0 },
});
beforeAll(() => store.start());
afterAll(async () => {
  await store.stop();
  await rm(dir, { recursive: true, force: true });
});

test('each hand-over, produced to invoiced: a dropped and a doubled record are mismatches, a broken reading is an error, and live tables stay as they are', async () => {
  const { passed, checks } = await runLedgerSelfTest(store.inDatabase('ledger_self_test'));
  expect(checks.filter(({ expected, verdict }) => expected !== verdict)).toEqual([]);
  expect([passed, checks.length]).toEqual([true, 24]);
  const [left] = await store.query(
    {
      name: 'left',
      sql: "SELECT countIf(database = 'ledger_self_test') AS shadow, countIf(name LIKE 'invoiced%') AS copies, (SELECT count() FROM samples) AS samples FROM system.tables",
      params: z.object({}),
      row: z.record(z.string(), z.coerce.number()),
    },
    {},
  );
  expect(left).toEqual({ shadow: 0, copies: 0, samples: 0 });
});
