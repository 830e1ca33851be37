/** Rounds of a job that go on until they are stopped. */
export interface Rounds {
  /** Lets the round in hand end. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Runs `round` again and again, never twice at once; it answers how long to wait for the next one and reports its own failures.
 *
 * *Units* milliseconds, also `firstMs`, the wait before the first round.
 */
export function startRounds(round: () => Promise<number>, firstMs: number): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const schedule = (ms: number): void => {
    timer = setTimeout(() => {
      running = round().then((pause) => {
        if (!stopped) schedule(pause);
      });
    }, ms);
  };
  schedule(firstMs);
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
