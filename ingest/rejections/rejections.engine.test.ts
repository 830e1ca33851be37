import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FastifyInstance, fastify } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { accessPlugin, createTenantDirectory, type Principal } from 'streams/access';
import { AppError } from 'streams/contract';
import { type Control, createControl } from 'streams/control';
import { copyEmptyControl } from 'streams/control/test-cluster';
import { answerError, createLogger } from 'streams/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rejectedRoutes } from './http.ts';
import { createRejectionCounts, detailOf } from './rejection-counts.ts';

const hourMs = 3_600_000;
const start = Date.UTC(2026, 10, 21, 10);
const dir = mkdtempSync(join(tmpdir(), 'pulse-rejected-'));
let control: Control;
let app: FastifyInstance;
const key = (tenantId: string): Principal => ({
  role: 'tenant',
  id: `key:${tenantId}`,
  tenantId,
  partnerId: null,
  scopes: [],
});
const principals: Readonly<Record<string, Principal>> = {
  operator: { role: 'operator', id: 'operator', tenantId: null, partnerId: null, scopes: [] },
  alpha: key('alpha'),
};

beforeAll(async () => {
  await copyEmptyControl(join(dir, 'control'));
  control = createControl({
    connection: { kind: 'pglite', dir: join(dir, 'control') },
    logger: createLogger('silent'),
  });
  await control.start();
  for (const id of ['alpha', 'beta']) {
    await control.mutate({ id: 'test', correlationId: 'test' }, { kind: 'global' }, async (tx) => {
      const tenant = { id, name: id, tier: 'small', plan: 'basic', region: 'eu', currency: 'EUR', time_zone: 'UTC' };
      await tx
        .insertInto('tenants')
        .values({ ...tenant, partner_id: null, state: 'active' })
        .execute();
      return { result: null, audit: { action: 'tenant.create', resource: id, tenantId: id } };
    });
  }
  const tenants = createTenantDirectory(control);
  await tenants.refresh();
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.register(accessPlugin({ access: { authenticate: async (token) => principals[token] ?? null }, tenants }));
  app.register(rejectedRoutes(control, { now: () => start + 25 * hourMs }));
  await app.ready();
}, 60_000);
afterAll(async () => {
  await app.close();
  await control.stop();
  rmSync(dir, { recursive: true, force: true });
});

const range = (from: number, to: number) => `start=${new Date(from).toISOString()}&end=${new Date(to).toISOString()}`;
const read = (token: string, query: string) =>
  app.inject({ url: `/api/v1/telemetry/rejected?${query}`, headers: { authorization: `Bearer ${token}` } });

test('refused records are added up by hour, signal and reason, over flushes, with the newest detail', async () => {
  let now = start;
  const counts = createRejectionCounts({ control, now: () => now });
  counts.record('alpha', 'metrics', 'series_limit', 5, '');
  counts.record('alpha', 'metrics', 'series_limit', 7, 'first');
  counts.record('beta', 'logs', 'too_old', 1, '');
  await counts.flush();
  now += 60_000;
  counts.record('alpha', 'metrics', 'series_limit', 8, 'second');
  now += hourMs;
  counts.record('alpha', 'metrics', 'series_limit', 1, '');
  await counts.flush();
  await counts.flush();
  const answer = await read('alpha', range(start - hourMs, start + 2 * hourMs));
  expect(answer.json()).toEqual({
    items: [
      {
        tenant: 'alpha',
        hour: new Date(start + hourMs).toISOString(),
        signal: 'metrics',
        reason: 'series_limit',
        records: 1,
        lastAt: new Date(start + hourMs + 60_000).toISOString(),
        detail: '',
      },
      {
        tenant: 'alpha',
        hour: new Date(start).toISOString(),
        signal: 'metrics',
        reason: 'series_limit',
        records: 20,
        lastAt: new Date(start + 60_000).toISOString(),
        detail: 'second',
      },
    ],
    nextCursor: null,
  });
});

test('what could not be written is written the next time, once', async () => {
  const at = start + 24 * hourMs;
  let isDown = true;
  const counts = createRejectionCounts({
    control: {
      tally: (run) => (isDown ? Promise.reject(new AppError('control.unavailable', 'away')) : control.tally(run)),
    },
    now: () => at,
  });
  counts.record('alpha', 'traces', 'invalid_ids', 3, '');
  await expect(counts.flush()).rejects.toMatchObject({ code: 'control.unavailable' });
  counts.record('alpha', 'traces', 'invalid_ids', 4, '');
  isDown = false;
  await counts.flush();
  const { items } = (await read('alpha', range(at, at + hourMs))).json();
  expect(items.map((item: { records: number }) => item.records)).toEqual([7]);
  // Who names no time sees the last day.
  const lastDay = (await read('alpha', '')).json();
  expect(lastDay.items.map((item: { hour: string }) => Date.parse(item.hour))).toEqual([at, start + hourMs]);
  const before = (await read('alpha', `end=${new Date(at).toISOString()}`)).json();
  expect(before.items).toHaveLength(2);
});

test('pages go on where the last one ended; the operator reads every tenant, a tenant only its own', async () => {
  const at = start + 48 * hourMs;
  const counts = createRejectionCounts({ control, now: () => at });
  for (const tenant of ['alpha', 'beta'])
    for (const reason of ['a', 'b', 'c']) counts.record(tenant, 'metrics', reason, 1, '');
  await counts.flush();
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = (await read('operator', `${range(at, at + hourMs)}&limit=4${cursor}`)).json();
    for (const { tenant, reason } of page.items) seen.push(`${tenant}.${reason}`);
    cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
  } while (cursor !== '');
  expect(seen).toEqual(['alpha.a', 'alpha.b', 'alpha.c', 'beta.a', 'beta.b', 'beta.c']);
  expect((await read('alpha', range(at, at + hourMs))).json().items).toHaveLength(3);
  expect((await read('alpha', `tenant=beta&${range(at, at + hourMs)}`)).statusCode).toBe(403);
});

test('counts older than 35 days are dropped', async () => {
  const later = start + 36 * 24 * hourMs;
  const counts = createRejectionCounts({ control, now: () => later });
  counts.record('alpha', 'metrics', 'too_old', 1, '');
  await counts.flush();
  expect((await read('operator', range(start - hourMs, start + hourMs))).json().items).toEqual([]);
});

const wrong: readonly (readonly [string, number, string])[] = [
  [`${range(start, start)}`, 400, 'ingest.range_invalid'],
  [`${range(start, start + 1)}&cursor=abc`, 400, 'ingest.cursor_invalid'],
  ['start=yesterday&end=today', 400, 'request.invalid'],
];
for (const [query, status, code] of wrong) {
  test(`?${query} is ${code}`, async () => {
    const answer = await read('alpha', query);
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
  });
}

test('a detail quotes nothing that was sent', () => {
  expect(detailOf(new SyntaxError('Unexpected token secret'))).toBe('');
  expect(detailOf(new AppError('ingest.event_invalid', 'data.value: 4111…', { field: '[3].data.value' }))).toBe(
    '[3].data.value',
  );
  expect(detailOf(new AppError('limits.points_per_second', 'this tenant may send 10 points a second'))).toContain(
    '10 points',
  );
});
