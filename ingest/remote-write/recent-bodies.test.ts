import { expect, test } from 'vitest';
import { RecentBodies } from './recent-bodies.ts';

const mebibyte = 1024 * 1024;
const body = (size: number, mark = 0) => ({ version: '2.0' as const, bytes: new Uint8Array(size).fill(mark) });
const marks = (recent: RecentBodies, tenant: string) => recent.of(tenant).map(({ bytes }) => bytes[0]);

test('a tenant that never sent an exemplar costs nothing', () => {
  const recent = new RecentBodies(mebibyte);
  recent.keep('a', body(1000), false);
  expect([recent.bytes, recent.of('a')]).toEqual([0, []]);
});

test('bodies come newest first, without exemplars too once there was one, and stay within 2 MiB a tenant', () => {
  const recent = new RecentBodies(64 * mebibyte);
  recent.keep('a', body(mebibyte, 1), true);
  for (const mark of [2, 3, 4, 5]) recent.keep('a', body(mebibyte, mark), false);
  expect(marks(recent, 'a')).toEqual([5, 4]);
  expect(recent.bytes).toBe(2 * mebibyte);
  recent.keep('a', body(3 * mebibyte, 6), true);
  expect(marks(recent, 'a')).toEqual([5, 4]);
});

test('the tenant heard of longest ago is forgotten first when all together are too large', () => {
  const recent = new RecentBodies(3 * mebibyte);
  for (const tenant of ['a', 'b', 'a', 'c']) recent.keep(tenant, body(mebibyte, tenant.charCodeAt(0)), true);
  expect([recent.of('a').length, recent.of('b').length, recent.of('c').length]).toEqual([2, 0, 1]);
  expect(recent.bytes).toBe(3 * mebibyte);
});
