import { expect, test } from 'vitest';
import { auditHash, canonicalJson, chainStart, checkChain } from './audit-chain.ts';
import { type Migration, pendingMigrations, readMigrations } from './migrations.ts';

const known: Migration[] = ['0001_a.sql', '0002_b.sql'].map((name) => ({
  name,
  sql: 'SELECT 1',
  checksum: `sum-${name}`,
}));
const first = { name: '0001_a.sql', checksum: 'sum-0001_a.sql' };

test('only what has not run is pending, in order', () => {
  expect(pendingMigrations(known, []).map(({ name }) => name)).toEqual(['0001_a.sql', '0002_b.sql']);
  expect(pendingMigrations(known, [first]).map(({ name }) => name)).toEqual(['0002_b.sql']);
});

test('data of a newer version is refused', () => {
  expect(() => pendingMigrations(known, [first, { name: '0009_z.sql', checksum: 'x' }])).toThrow(
    expect.objectContaining({ code: 'control.newer_version' }),
  );
});

test('a migration whose text changed after it ran is refused', () => {
  expect(() => pendingMigrations(known, [{ ...first, checksum: 'other' }])).toThrow(
    expect.objectContaining({ code: 'control.migration_changed' }),
  );
});

test('the own migrations are read with their checksums, numbered without gaps', async () => {
  const own = await readMigrations();
  expect(own.map(({ name }) => Number(name.slice(0, 4)))).toEqual(own.map((_, index) => index + 1));
  for (const { checksum } of own) expect(checksum).toMatch(/^[0-9a-f]{64}$/);
});

test('canonical JSON does not depend on the order of members', () => {
  expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: undefined })).toBe('{"b":[1,{"c":"x","d":null}]}');
});

test('records swapped or left out are found at the first wrong one', () => {
  const records = [];
  let previousHash = chainStart;
  for (const seq of ['1', '2', '3']) {
    const content = {
      seq,
      at: 'x',
      actor: 'a',
      correlationId: 'c',
      tenantId: null,
      action: 'a.b',
      resource: 'r',
      detail: {},
      previousHash,
    };
    previousHash = auditHash(content);
    records.push({ ...content, hash: previousHash });
  }
  const start = { seq: 0n, hash: chainStart };
  const [one, two, three] = records;
  expect(checkChain(records, start).broken).toBeNull();
  expect(
    checkChain(
      [one, three].flatMap((r) => r ?? []),
      start,
    ).broken,
  ).toBe('2');
  expect(
    checkChain(
      [two, one].flatMap((r) => r ?? []),
      start,
    ).broken,
  ).toBe('1');
});
