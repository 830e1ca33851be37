import { expect, test } from 'vitest';
import { startRounds } from './rounds.ts';

test('rounds follow each other and never overlap; a stop lets the one in hand end and starts no other', async () => {
  let running = 0;
  let most = 0;
  let done = 0;
  const third = Promise.withResolvers<void>();
  const rounds = startRounds(async () => {
    running += 1;
    most = Math.max(most, running);
    if (done === 2) third.resolve();
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
    done += 1;
    return 0;
  }, 0);
  await third.promise;
  await rounds.stop();
  expect({ running, most, done }).toEqual({ running: 0, most: 1, done: 3 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(done).toBe(3);
});
