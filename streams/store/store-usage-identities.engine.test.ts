import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStoreFixture, type StoreFixture } from './store-fixture.ts';
import { createStoreUsageIdentities } from './store-usage-identities.ts';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await openStoreFixture();
});
afterAll(() => fixture.close());

const claim = (id: string, offset: number, value = '1', index = 0) => ({
  tenant: 1,
  partition: 3,
  offset,
  index,
  // The table forgets by the real clock.
  receivedMs: Date.now() + offset,
  retentionDays: 400,
  event: { type: 't', source: 's', id, subject: '', time: '2026-11-21T12:00:00Z', value, attributes: {} },
});

test('whoever asks decides the same: the first position stands, in the batch, after it and for another consumer', async () => {
  const identities = createStoreUsageIdentities(fixture.store);
  const batch = [claim('a', 1), claim('b', 1, '1', 1), claim('a', 2), claim('a', 3, '2'), claim('b', 1, '1', 1)];
  const verdicts = ['first', 'first', 'duplicate', 'conflict', 'first'];
  expect(await identities.claim(batch)).toEqual(verdicts);
  // Redelivered, to this consumer and to the next owner of the partition.
  expect(await identities.claim(batch)).toEqual(verdicts);
  const other = createStoreUsageIdentities(fixture.store);
  expect(await other.claim(batch)).toEqual(verdicts);
  expect(await other.claim([claim('a', 9), claim('c', 10), claim('b', 11, '5')])).toEqual([
    'duplicate',
    'first',
    'conflict',
  ]);
  expect(await identities.claim([{ ...claim('a', 12), tenant: 2 }])).toEqual(['first']);
  expect(await identities.claim([])).toEqual([]);
});

test('a consumer that was given up after its decision, and the one that came after it, have decided alike', async () => {
  const late = createStoreUsageIdentities(fixture.store);
  const next = createStoreUsageIdentities({
    // It has not seen what the first one wrote.
    query: async () => [],
    insert: fixture.store.insert.bind(fixture.store),
  });
  const batch = [claim('z', 20), claim('z', 21)];
  expect(await late.claim(batch)).toEqual(['first', 'duplicate']);
  expect(await next.claim(batch)).toEqual(['first', 'duplicate']);
  expect(await late.claim(batch)).toEqual(['first', 'duplicate']);
});
