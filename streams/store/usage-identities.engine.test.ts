import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openUsageIdentities } from './usage-identities.ts';

const claim = (id: string, offset: number, receivedMs: number, value = '1') => ({
  tenant: 1,
  partition: 0,
  offset,
  index: 0,
  receivedMs,
  retentionDays: 400,
  event: { type: 't', source: 's', id, subject: '', time: '2026-11-21T12:00:00Z', value, attributes: {} },
});

test('an identity holds until it is pruned, in bounded steps, and survives reopening', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'pulse-identities-')), 'identities');
  let identities = openUsageIdentities(path);
  const batch = ['a', 'b', 'c'].map((id, offset) => claim(id, offset, 1000 * (offset + 1)));
  expect(identities.claim(batch)).toEqual(['first', 'first', 'first']);
  await identities.close();
  identities = openUsageIdentities(path);
  expect(identities.claim(batch)).toEqual(['first', 'first', 'first']);
  expect(identities.claim([claim('a', 9, 9000), claim('a', 10, 9000, '2')])).toEqual(['duplicate', 'conflict']);
  expect(identities.prune(3000, 1)).toBe(1);
  expect(identities.prune(3000, 10)).toBe(1);
  expect(identities.prune(3000, 10)).toBe(0);
  expect(identities.claim([claim('a', 11, 9000), claim('c', 12, 9000)])).toEqual(['first', 'duplicate']);
  await identities.close();
});

test('an event without a time of its own is the same event when it comes again with another time of receipt', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'pulse-identities-')), 'identities');
  const identities = openUsageIdentities(path);
  const received = (offset: number, time: string) => {
    const one = claim('a', offset, 1000 + offset);
    return { ...one, event: { ...one.event, time, timeOfReceipt: true as const } };
  };
  expect(identities.claim([received(0, '2026-11-21T12:00:00Z')])).toEqual(['first']);
  expect(identities.claim([received(1, '2026-11-21T12:00:07Z')])).toEqual(['duplicate']);
  await identities.close();
});
