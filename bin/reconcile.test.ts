import type { Reconciliation } from 'streams/contract';
import { expect, test } from 'vitest';
import type { ApiClient } from './api-client.ts';
import { reconcile } from './reconcile.ts';

const total = (pending: number, mismatched: number): Reconciliation['totals'][number] => ({
  ...{ tenant: 'isp-a', signal: 'events', from: 'logged', to: 'stored', sums: null },
  counts: { from: 5, to: 5, duplicates: 0 },
  ...{ hours: 3, balanced: 3 - pending - mismatched, pending, mismatched },
});
const linesOf = async (answer: Reconciliation) => {
  const api: Pick<ApiClient, 'get'> = { get: async (_path, schema) => schema.parse(answer) };
  const { text, exitCode } = await reconcile(api as ApiClient, {});
  return { exitCode, last: text.split('\n').slice(3) };
};

test('an answer that is not about everything says what it leaves open before it says balanced', async () => {
  expect(await linesOf({ balanced: true, handovers: [], totals: [total(0, 0)], lines: [] })).toEqual({
    exitCode: 0,
    last: ['balanced'],
  });
  expect(await linesOf({ balanced: true, handovers: [], totals: [total(2, 0)], lines: null })).toEqual({
    exitCode: 0,
    last: [
      '2 hand-over(s) are pending: not due yet, or still being taken',
      'invoice lines were not checked for so many tenants; --tenant checks them',
      'balanced',
    ],
  });
});

test('hours that differ are counted, also those that are not listed, and end with 1', async () => {
  const handover: Reconciliation['handovers'][number] = {
    ...{ tenant: 'isp-a', signal: 'events', hour: '2026-10-05T10:00:00Z', from: 'logged', to: 'stored' },
    ...{
      counts: { from: 5, to: 4, duplicates: 0 },
      sums: { from: '5.1', to: '4', duplicates: '0' },
      state: 'mismatch',
    },
  };
  expect(await linesOf({ balanced: false, handovers: [handover], totals: [total(0, 3)], lines: [] })).toEqual({
    exitCode: 1,
    last: [
      'MISMATCH isp-a events 2026-10-05T10:00:00Z: logged 5 → stored 4, duplicates 0, sum 5.1 → 4',
      '… and 2 more; --json shows more',
      'NOT BALANCED: 3 hand-over(s) differ',
    ],
  });
});
