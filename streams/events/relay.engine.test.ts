import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AppError, type DomainEvent, type DomainEventDraft } from '../contract/index.ts';
import { leaseLost } from '../control/leases.ts';
import type { Lease, RowScope } from '../control/port.ts';
import { insertTenant, startTestControl, type TestControl, testActor } from '../control/test-control.ts';
import type { LogMessage } from '../log/port.ts';
import { eventRoutes } from './http.ts';
import { createRelay } from './relay.ts';

let test_: TestControl;
beforeAll(async () => {
  test_ = await startTestControl();
  for (const id of ['alpha', 'beta']) {
    await test_.control.mutate(testActor, { kind: 'global' }, async (tx) => ({
      result: await insertTenant(tx, id),
      audit: { action: 'tenant.create', resource: id, tenantId: id },
    }));
  }
});
afterAll(() => test_.end());

/** A log that notes what was appended, and may refuse or end the process, as far as a test can. */
function fakeLog(behave: (attempt: number) => 'append' | 'refuse' = () => 'append') {
  const sent: DomainEvent[] = [];
  const keys: string[] = [];
  let attempts = 0;
  return {
    sent,
    keys,
    log: {
      async append(_topic: string, messages: readonly LogMessage[]) {
        attempts += 1;
        if (behave(attempts) === 'refuse') throw new AppError('log.unavailable', 'away', { retryable: true });
        for (const message of messages) {
          expect(message.headers['content-type']).toBe('application/cloudevents+json; charset=UTF-8');
          keys.push(message.key);
          sent.push(JSON.parse(Buffer.from(message.payload).toString('utf8')) as DomainEvent);
        }
        return messages.map((_message, offset) => ({ partition: 0, offset }));
      },
    },
  };
}
let leaseNumber = 0;
async function takeLease(name = `relay-${++leaseNumber}`): Promise<Lease> {
  const table = test_.control.leaseTable({ leaseMs: 60_000, isAlone: true });
  const { taken } = await table.round([], [name]);
  const [fence] = taken;
  if (fence === undefined) throw new Error('no lease');
  const { signal } = new AbortController();
  return {
    ...fence,
    signal,
    check: async () => {
      if (!(await table.isHeld(fence))) throw leaseLost(name);
    },
  };
}
const relayTo = (log: ReturnType<typeof fakeLog>['log'], lease: Lease) =>
  createRelay({
    outbox: test_.control.outbox,
    log,
    lease,
    logger: pino({ level: 'silent' }),
    keptDays: 90,
    pollMs: 60_000,
  });
const leave = (...events: DomainEventDraft[]) =>
  test_.control.mutate(testActor, { kind: 'global' }, async () => ({
    result: null,
    audit: { action: 'test.write', resource: 'test', tenantId: null },
    events,
  }));
const suspended = (tenantId: string, id: string): DomainEventDraft => ({
  type: 'tenant.suspended',
  tenantId,
  id,
  data: { before: 'active', after: 'suspended' },
});

test('events reach the log once and in order, as CloudEvents, keyed by tenant', async () => {
  const { log, sent, keys } = fakeLog();
  const relay = relayTo(log, await takeLease());
  relay.start();
  await leave(suspended('alpha', 'a-1'), suspended('beta', 'b-1'));
  await leave(suspended('alpha', 'a-2'));
  await expect.poll(() => sent.map(({ id }) => id)).toEqual(['a-1', 'b-1', 'a-2']);
  expect(keys).toEqual(['alpha', 'beta', 'alpha']);
  expect(sent[0]).toMatchObject({
    specversion: '1.0',
    source: '/dotmac/pulse',
    type: 'tenant.suspended',
    subject: 'alpha',
    tenantid: 'alpha',
    datacontenttype: 'application/json',
    data: { before: 'active', after: 'suspended' },
  });
  await expect.poll(() => test_.control.outbox.backlog()).toEqual({ events: 0, since: null });
  await relay.stop();
  expect(await test_.control.outbox.waiting(10)).toEqual([]);
});

test('a crash between the append and the mark sends the same ids again and skips nothing', async () => {
  await leave(suspended('alpha', 'c-1'), suspended('alpha', 'c-2'));
  const { log, sent } = fakeLog();
  const first = await takeLease('crash');
  const crashed = createRelay({
    outbox: { ...test_.control.outbox, markSent: () => Promise.reject(new Error('the process ended here')) },
    log,
    lease: first,
    logger: pino({ level: 'silent' }),
    keptDays: 90,
    pollMs: 60_000,
  });
  await expect(crashed.sendBatch()).rejects.toThrow('ended here');
  await leave(suspended('alpha', 'c-3'));
  const next = relayTo(log, await takeLease('crash'));
  expect(await next.sendBatch()).toBe(3);
  expect(await next.sendBatch()).toBe(0);
  expect(sent.map(({ id }) => id)).toEqual(['c-1', 'c-2', 'c-1', 'c-2', 'c-3']);
  expect(new Set(sent.map((event) => JSON.stringify(event))).size).toBe(3);
  // The one that stood still meanwhile appends nothing and marks nothing.
  await leave(suspended('alpha', 'c-4'));
  await expect(relayTo(log, first).sendBatch()).rejects.toMatchObject({ code: 'lease.lost' });
  expect(sent).toHaveLength(5);
  expect((await test_.control.outbox.waiting(10)).map(({ event }) => event.id)).toEqual(['c-4']);
});

test('while the log is away events wait, and go out by themselves afterwards', async () => {
  const { log, sent } = fakeLog((attempt) => (attempt < 2 ? 'refuse' : 'append'));
  const relay = relayTo(log, await takeLease());
  relay.start();
  await leave(suspended('beta', 'w-1'));
  await expect.poll(() => sent.at(-1)?.id, { timeout: 5000 }).toBe('w-1');
  await relay.stop();
});

test('GET /api/v1/events pages newest first; a tenant sees its own and nothing of the platform', async () => {
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  let scope: RowScope = { kind: 'global' };
  app.decorateRequest('rowScope');
  app.addHook('onRequest', async (request) => {
    request.rowScope = scope;
  });
  app.register(eventRoutes({ control: test_.control }));
  await leave({ type: 'backup.verified', data: { backup: 'x', takenAt: '2026-11-21T00:00:00Z', bytes: 1 } });
  const get = async (query: string) => (await app.inject(`/api/v1/events${query}`)).json();
  const first = await get('?limit=2');
  expect(first.items.map(({ type }: DomainEvent) => type)).toEqual(['backup.verified', 'tenant.suspended']);
  expect(first.items[0].sentAt).toBeNull();
  const second = await get(`?limit=2&cursor=${first.nextCursor}`);
  expect(second.items.map(({ id }: DomainEvent) => id)).toEqual(['c-4', 'c-3']);
  expect((await get('?type=backup.verified')).items).toHaveLength(1);
  scope = { kind: 'tenant', tenantId: 'beta' };
  expect((await get('')).items.map(({ id }: DomainEvent) => id)).toEqual(['w-1', 'b-1']);
  expect((await app.inject('/api/v1/events?cursor=x')).json().code).toBe('events.cursor_invalid');
  const types = (await app.inject('/api/v1/events/types')).json().items;
  expect(types.find(({ type }: DomainEvent) => type === 'invoice.paid').emitted).toBe(false);
  await app.close();
});
