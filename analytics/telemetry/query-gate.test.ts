import { AppError } from 'streams/contract';
import { expect, test } from 'vitest';
import { createQueryGate, fromReadError, gateLimits } from './query-gate.ts';

const limits = { ...gateLimits, waitingPerTenant: 3, waitMs: 30 };
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a tenant that asks for much waits in its own line while others pass', async () => {
  const gate = createQueryGate(limits);
  const order: string[] = [];
  const first = await gate.enter(1, 'query');
  const second = await gate.enter(1, 'query');
  const third = gate.enter(1, 'query').then((leave) => {
    order.push('third of 1');
    return leave;
  });
  const other = await gate.enter(2, 'query');
  order.push('first of 2');
  // All three places are taken: the next of tenant 3 goes before the third of tenant 1.
  const late = gate.enter(3, 'query').then((leave) => {
    order.push('first of 3');
    return leave;
  });
  await settled();
  first();
  first();
  await settled();
  expect(order).toEqual(['first of 2', 'first of 3']);
  second();
  (await third)();
  (await late)();
  other();
  expect(order).toEqual(['first of 2', 'first of 3', 'third of 1']);
});

test('a full line and a turn that does not come are 429 and leave nothing behind', async () => {
  const gate = createQueryGate(limits);
  const held = [await gate.enter(1, 'query'), await gate.enter(1, 'query')];
  const waiting = [1, 2, 3].map(() => gate.enter(1, 'query').catch((error: unknown) => error));
  await expect(gate.enter(1, 'query')).rejects.toMatchObject({ status: 429, code: 'telemetry.too_many_queries' });
  for (const one of await Promise.all(waiting)) expect(one).toMatchObject({ status: 429, retryAfterSeconds: 2 });
  for (const leave of held) leave();
  (await gate.enter(1, 'query'))();
});

test('streams leave room: one a tenant, and queries pass them', async () => {
  const gate = createQueryGate(limits);
  const stream = await gate.enter(1, 'stream');
  const waiting = gate.enter(1, 'stream');
  const query = await gate.enter(1, 'query');
  const another = await gate.enter(2, 'stream');
  query();
  stream();
  (await waiting)();
  another();
});

test('what the engine refuses for its cost names what to narrow', () => {
  const refused = new AppError('store.query_failed', 'x', { context: { engineCode: '158' } });
  expect(fromReadError(refused, 'step')).toMatchObject({
    status: 422,
    code: 'telemetry.query_too_expensive',
    field: 'step',
  });
  const late = new AppError('store.timeout', 'x', { status: 503, context: { engineCode: '159' } });
  expect(fromReadError(late, 'start')).toMatchObject({ status: 422, field: 'start' });
  const gone = new AppError('store.unavailable', 'x', { status: 503, retryable: true, context: { engineCode: '210' } });
  expect(fromReadError(gone, 'start')).toBe(gone);
});
