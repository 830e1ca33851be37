import { expect, test } from 'vitest';
import { createWorkGate } from './work-gate.ts';

const deferred = () => {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
};

test('a closed gate has nobody inside, and lets nobody in until it is opened', async () => {
  const gate = createWorkGate();
  const first = deferred();
  const order: string[] = [];
  const inHand = gate.run(async () => {
    await first.promise;
    order.push('first ended');
  });
  const closing = gate.close(1000).then((open) => {
    order.push('closed');
    return open;
  });
  const second = gate.run(async () => void order.push('second'));
  first.resolve();
  const open = await closing;
  await inHand;
  order.push('opened');
  open();
  await second;
  expect(order).toEqual(['first ended', 'closed', 'opened', 'second']);
});

test('who waits too long for the works in hand is refused, and they go on', async () => {
  const gate = createWorkGate();
  const first = deferred();
  const inHand = gate.run(() => first.promise);
  await expect(gate.close(5)).rejects.toMatchObject({ code: 'maintenance.busy', retryable: true });
  await gate.run(async () => undefined);
  first.resolve();
  await inHand;
});

test('two closers take turns', async () => {
  const gate = createWorkGate();
  const open = await gate.close(10);
  let second = false;
  const waiting = gate.close(10).then((opened) => {
    second = true;
    return opened;
  });
  await Promise.resolve();
  expect(second).toBe(false);
  open();
  (await waiting)();
  expect(second).toBe(true);
});

test('a work that throws leaves the gate as it was', async () => {
  const gate = createWorkGate();
  await expect(gate.run(async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  (await gate.close(5))();
});
