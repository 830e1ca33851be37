import { expect, test, vi } from 'vitest';
import { createMeteringLoop } from './metering-loop.ts';

test('a failed run is reported, tried again, and stop waits for the run in hand', async () => {
  vi.useFakeTimers();
  try {
    const errors: unknown[] = [];
    let runs = 0;
    let finish: () => void = () => undefined;
    const loop = createMeteringLoop({
      intervalMs: 1000,
      onError: (error) => errors.push(error),
      run: async () => {
        runs += 1;
        if (runs === 1) throw new Error('store away');
        if (runs === 3) await new Promise<void>((resolve) => (finish = resolve));
      },
    });
    loop.start();
    await vi.advanceTimersByTimeAsync(0);
    expect([runs, errors.length, loop.failure()]).toEqual([1, 1, 'internal']);
    await vi.advanceTimersByTimeAsync(1000);
    expect([runs, loop.failure()]).toEqual([2, null]);
    await vi.advanceTimersByTimeAsync(1000);
    let stopped = false;
    const stopping = loop.stop().then(() => {
      stopped = true;
    });
    await vi.advanceTimersByTimeAsync(5000);
    expect(stopped).toBe(false);
    finish();
    await stopping;
    await vi.advanceTimersByTimeAsync(5000);
    expect(runs).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});
