import { expect, test } from 'vitest';
import { AppError } from '../contract/index.ts';
import { waitForServer } from './server-wait.ts';

function waiting(failures: readonly string[], options: { readonly waitMs: number; readonly signal?: AbortSignal }) {
  const warned: unknown[] = [];
  let attempts = 0;
  const started = waitForServer(
    async () => {
      const code = failures[attempts++];
      if (code !== undefined) throw new AppError(code, 'away');
    },
    {
      signal: new AbortController().signal,
      ...options,
      pauseMs: 5,
      host: 'db.example.net:5432',
      logger: { warn: (fields: unknown) => warned.push(fields) },
    },
  );
  return { started, warned, attempts: () => attempts };
}

test('a server that does not answer yet is waited for, and named', async () => {
  const { started, warned, attempts } = waiting(['control.unavailable', 'control.unavailable'], { waitMs: 10_000 });
  await started;
  expect(attempts()).toBe(3);
  expect(warned).toEqual(Array(2).fill({ host: 'db.example.net:5432', reason: 'away' }));
});

test('for so long and no longer', async () => {
  const { started, attempts } = waiting(Array(1000).fill('control.unavailable'), { waitMs: 50 });
  await expect(started).rejects.toMatchObject({ code: 'control.unavailable' });
  expect(attempts()).toBeGreaterThan(1);
  expect(attempts()).toBeLessThan(20);
});

test('a refusal and a process that is to stop do not wait', async () => {
  const refused = waiting(['control.login_refused'], { waitMs: 10_000 });
  await expect(refused.started).rejects.toMatchObject({ code: 'control.login_refused' });
  const stopped = waiting(['control.unavailable'], { waitMs: 10_000, signal: AbortSignal.abort() });
  await expect(stopped.started).rejects.toMatchObject({ code: 'control.unavailable' });
  expect([refused.attempts(), stopped.attempts()]).toEqual([1, 1]);
});
